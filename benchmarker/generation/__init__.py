"""Trains generators, watches them, and draws training images from them."""
