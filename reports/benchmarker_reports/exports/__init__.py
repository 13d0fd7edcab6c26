"""Exports of a study's runs to TensorBoard and MLflow."""
