"""Model files: open, load, save."""
