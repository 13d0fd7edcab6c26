"""Commands ``benchmarker compare`` and ``benchmarker power``."""
