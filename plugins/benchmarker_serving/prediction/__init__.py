"""Classify or measure new images with trained networks: calibrated probabilities, prediction sets, unlike images."""
