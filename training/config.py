"""What a training run is made of, read from TOML."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from dubai_landcover_plugin.core.model_spec import ModelSpec
from training.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_Section = TypeVar("_Section")


def _require(condition: bool, message: str, remedy: str = "") -> None:
    if not condition:
        raise ConfigError(message, remedy)


@dataclass(frozen=True, slots=True)
class DataConfig:
    """Which images are seen.

    Args:
        validate_tiles: Tiles kept out of training and used for validation.
        scenes: ``module:function`` that draws synthetic scenes, or empty.
        scene_share: Share of chips taken from synthetic scenes, 0..1.
        scene_count: How many scenes are drawn.
        scene_seed: Seed of the first; the others count up.
        scene_size: Side of a scene, px.
    """

    validate_tiles: tuple[int, ...] = ()
    scenes: str = ""
    scene_share: float = 0.0
    scene_count: int = 12
    scene_seed: int = 1000
    scene_size: int = 768

    def __post_init__(self) -> None:
        _require(0 <= self.scene_share < 1, f"scene_share must lie in 0..1, got {self.scene_share}.")
        _require(self.scene_count > 0 and self.scene_size > 0, "scene_count and scene_size must be positive.")


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network is trained.

    Args:
        architecture: Name in the registry.
        arguments: Its keyword arguments.
        pretrained: Start the EfficientNet-lite0 encoder from ImageNet weights.
        gsd: Ground sampling distance of the images, m/px.
        window: Side of the window that suits the model, px.
    """

    architecture: str = "unet_efficientnet"
    arguments: dict[str, Any] = field(default_factory=dict)
    pretrained: bool = True
    gsd: float = 1.0
    window: int = 512

    def spec(self, classes: int) -> ModelSpec:
        """Return the description of a network for RGB chips."""
        return ModelSpec(self.architecture, 3, classes, dict(self.arguments))


@dataclass(frozen=True, slots=True)
class ChipConfig:
    """How chips are cut and varied.

    Args:
        size: Side of a chip, px.
        scale: Smallest and largest magnification.
        batch: Chips for each step.
        brightness: Largest shift, share of the full range.
        contrast: Largest relative change of contrast.
        gamma: Largest change of the logarithm of gamma.
        gain: Largest relative change of a single band.
    """

    size: int = 256
    scale: tuple[float, float] = (0.7, 1.5)
    batch: int = 8
    brightness: float = 0.12
    contrast: float = 0.25
    gamma: float = 0.25
    gain: float = 0.08

    def __post_init__(self) -> None:
        _require(
            self.size >= 16 and self.batch >= 1, f"size must be >= 16 and batch >= 1, got {self.size}, {self.batch}."
        )
        _require(0 < self.scale[0] <= self.scale[1], f"scale must be positive and rise, got {self.scale}.")


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW with linear warm-up and cosine decay.

    Args:
        steps: Optimizer steps of the whole run.
        rate: Highest learning rate.
        encoder_rate: Highest learning rate of a pretrained encoder.
        weight_decay: Decoupled decay of the weights.
        warmup: Steps over which the rate rises.
        clip: Largest gradient norm.
        average: Decay of the moving average of the weights that is evaluated and exported; 0 for none.
    """

    steps: int = 1000
    rate: float = 1e-3
    encoder_rate: float = 4e-4
    weight_decay: float = 1e-2
    warmup: int = 50
    clip: float = 1.0
    average: float = 0.99

    def __post_init__(self) -> None:
        _require(
            self.steps >= 1 and self.warmup >= 0,
            f"steps must be >= 1 and warmup >= 0, got {self.steps}, {self.warmup}.",
        )
        _require(self.rate > 0 and self.encoder_rate > 0 and self.clip > 0, "Rates and clip must be positive.")
        _require(0 <= self.average < 1, f"average must lie in 0..1, got {self.average}.")


@dataclass(frozen=True, slots=True)
class LossConfig:
    """Focal loss plus a share of soft Dice.

    Args:
        gamma: Focusing parameter; 0 gives cross entropy.
        alpha: Weight of each class, or empty for equal weights.
        dice: Weight of the soft Dice loss.
    """

    gamma: float = 0.75
    alpha: tuple[float, ...] = ()
    dice: float = 0.5


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the run goes about it.

    Args:
        seed: Of everything random.
        threads: CPU threads; 0 leaves the default.
        accelerator: As Lightning Fabric names it.
        precision: As Lightning Fabric names it, e.g. ``32-true`` or ``bf16-mixed``.
        log_every: Steps between log rows.
        save_every: Steps between checkpoints.
        validate_every: Steps between validations; 0 for at the end only.
    """

    seed: int = 1
    threads: int = 0
    accelerator: str = "cpu"
    precision: Any = "32-true"
    log_every: int = 20
    save_every: int = 100
    validate_every: int = 0


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """All of the above."""

    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    chips: ChipConfig = field(default_factory=ChipConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, value: dict[str, Any]) -> TrainingConfig:
        """Build a configuration from nested tables.

        Raises:
            ConfigError: for unknown sections or keys and for values out of range.
        """
        kinds = {item.name: item.default_factory for item in fields(cls)}
        _require(
            not set(value) - set(kinds),
            f"Unknown sections: {sorted(set(value) - set(kinds))}.",
            f"Known: {list(kinds)}.",
        )
        return cls(**{name: _section(name, kinds[name], table) for name, table in value.items()})


def _section(name: str, kind: Any, table: dict[str, Any]) -> Any:
    known = {item.name for item in fields(kind)}
    unknown = sorted(set(table) - known)
    _require(not unknown, f"Unknown keys in [{name}]: {', '.join(unknown)}.", f"Known: {', '.join(sorted(known))}.")
    return kind(**{key: tuple(item) if isinstance(item, list) else item for key, item in table.items()})


def load_config(path: str | Path) -> TrainingConfig:
    """Read a TOML file.

    Raises:
        ConfigError: if it cannot be read or says something unknown.
    """
    try:
        with Path(path).open("rb") as stream:
            return TrainingConfig.from_mapping(tomllib.load(stream))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error}.") from error
