"""Tests; a package, so that no other distribution's folder of that name comes before it."""
