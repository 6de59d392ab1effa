"""The QGIS side of the seam: finds the engine's interpreter, runs its worker, builds its environment."""
