"""Synthetic towns with known classes."""
