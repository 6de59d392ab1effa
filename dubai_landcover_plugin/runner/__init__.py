"""QGIS's side of the protocol: finds the engine's interpreter, runs its worker, installs its environment."""
