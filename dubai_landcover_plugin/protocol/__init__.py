"""Shared by QGIS and the engine: requests, messages, errors, classes, model metadata.

Standard library only, Python 3.9; imports no other package of the project.
"""
