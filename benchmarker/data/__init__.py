"""Datasets, prepared once into a cache that all cells share, and their splits by source."""
