"""The small trained model and the small data of the tests of training."""

from tests.training.conftest import _trained_once, data, one_thread, trained  # noqa: F401 (fixtures are found by name)
