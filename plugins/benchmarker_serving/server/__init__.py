"""Serves exported models by the REST contract of TensorFlow Serving, without TensorFlow."""
