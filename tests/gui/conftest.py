"""The panel's tests run the plugin folder that users get, as those of Processing do."""

from tests.processing.conftest import *  # noqa: F403 (fixtures are found by name)
