"""Evaluation and calibration of models against labels, through the code that QGIS runs."""
