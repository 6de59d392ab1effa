"""Training of land-cover models: ``python -m training train|evaluate|export``."""
