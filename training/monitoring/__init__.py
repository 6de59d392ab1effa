"""Validation, logs, curves and pictures of a run."""
