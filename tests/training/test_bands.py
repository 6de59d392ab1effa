"""``data.bands``: numbers, names, or both."""

from __future__ import annotations

import pytest

from training.bands import RGB, InputBands, parse_bands
from training.config import TrainingConfig, load_config
from training.errors import ConfigError


@pytest.mark.parametrize(
    ("values", "bands"),
    [
        ((), RGB),
        (("red", "green", "blue"), RGB),
        ((4, 1, 2), InputBands(("band 4", "band 1", "band 2"), (4, 1, 2), fixed=True)),
        (("NIR", "red", "green"), InputBands(("nir", "red", "green"))),
        (("nir=4", "red = 1", "2"), InputBands(("nir", "red", "band 2"), (4, 1, 2), fixed=True)),
    ],
)
def test_forms(values: tuple[int | str, ...], bands: InputBands) -> None:
    assert parse_bands(values) == bands


@pytest.mark.parametrize("values", [(0, 1, 2), ("nir=x", 1, 2), ("nir", 1, 2), ("", 1, 2), (4, 1, 70_000)])
def test_other_forms_are_refused(values: tuple[int | str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"data\.bands"):
        parse_bands(values)


@pytest.mark.parametrize(
    ("setting", "values"),
    [("4,1,2", (4, 1, 2)), ("[4, 1, 2]", (4, 1, 2)), ("nir,red,green=2", ("nir", "red", "green=2"))],
)
def test_settings_of_the_command_line(setting: str, values: tuple[int | str, ...]) -> None:
    if values[-1] == "green=2":
        with pytest.raises(ConfigError, match="numbers for 1 of 3 bands"):
            load_config(None, [f"data.bands={setting}"])
        return
    config = load_config(None, [f"data.bands={setting}"])
    assert config.data.bands == values
    assert TrainingConfig.from_mapping(config.to_json()) == config
