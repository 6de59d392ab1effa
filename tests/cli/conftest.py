"""The small rasters and models of the engine's tests."""

from tests.core.conftest import raster, tiny_model  # noqa: F401 (fixtures are found by name)
