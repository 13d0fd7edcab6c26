"""Statistics over few seeds and few test sources.

Pure functions on arrays: `intervals`, `paired` (mean differences), `verdicts` (equivalence, McNemar),
`multiple_testing` (Holm), `power`, `ranks` (several datasets), `pareto` and `caveats`.

From a study to verdicts: `network_results` reads runs into arrays, `comparison` compares two of them, `ratios` follows
the ratio of generated images, `study_comparison` makes all tables, and `study_power` plans more seeds.
"""
