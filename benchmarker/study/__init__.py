"""What running a study and reading it back share: specifications, plan, folder layout, locks, files, fingerprint."""
