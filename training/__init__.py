"""Training, evaluation and export of land-cover models: ``python -m training --help``."""
