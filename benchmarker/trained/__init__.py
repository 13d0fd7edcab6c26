"""Trained networks and generators, ready for use, with the preparation that they were trained on."""
