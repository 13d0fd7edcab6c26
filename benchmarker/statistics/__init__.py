"""Statistics over few seeds: pure functions on arrays and tidy tables, each with its source.

``verdicts.compare_study(results)`` is what reports show; everything else is what it is made from.
"""
