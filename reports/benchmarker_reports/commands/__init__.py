"""Commands that come with the reports: ``benchmarker power`` and ``benchmarker compare``."""
