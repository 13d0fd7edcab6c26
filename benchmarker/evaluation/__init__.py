"""Evaluate one network: metrics of its predictions, tables of predictions, and what it costs."""
