"""Hands a study's runs to other programs' own formats, so that people keep the tools they like."""
