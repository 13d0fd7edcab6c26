"""Exported models: files for other programs, with a card, a check and a smaller form."""
