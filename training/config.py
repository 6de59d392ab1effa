"""Configuration of a training run, read from TOML."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.protocol.model_metadata import ModelSpec

from .config_parser import build_section, override, require
from .data_config import MOST_SEED, DataConfig, SourceConfig, SplitConfig
from .errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "ChipConfig",
    "DataConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "RunConfig",
    "SourceConfig",
    "SplitConfig",
    "TrainingConfig",
    "load_config",
]

_CONFIGS = Path(__file__).resolve().parent / "configs"
_MOST_SCALE = 64  # magnification of a chip: a pixel becomes a flat field
_MOST_CHANGE = 4  # of light and colour: beyond it chips are black and white
_VARIATIONS = (
    *("brightness", "contrast", "gamma", "gain", "saturation", "blur"),
    *("light", "haze", "grey", "stretch", "style", "paste"),
)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network is trained.

    Args:
        architecture: Name in the registry.
        arguments: Its keyword arguments.
        pretrained: Start the EfficientNet-lite0 encoder from ImageNet weights.
        frozen: First blocks of that encoder that stay as they are, the stem before them too; 0 trains all. Steps are
            faster so.
        gsd: Ground sampling distance of the images, m/px.
        window: Side of the window that suits the model, px.
    """

    architecture: str = "unet_efficientnet"
    arguments: dict[str, Any] = field(default_factory=dict)
    pretrained: bool = True
    frozen: int = 0
    gsd: float = 1.0
    window: int = 512

    def __post_init__(self) -> None:
        require(
            math.isfinite(self.gsd) and self.gsd > 0,
            f"model.gsd must be a finite number of metres above 0, got {self.gsd}.",
        )
        require(self.window >= 1, f"model.window must be at least 1 px, got {self.window}.")
        require(self.frozen >= 0, f"model.frozen must be at least 0, got {self.frozen}.", "0 trains all blocks.")

    def spec(self, classes: int) -> ModelSpec:
        """Return the description of a network for RGB chips."""
        return ModelSpec(self.architecture, 3, classes, dict(self.arguments))


@dataclass(frozen=True, slots=True)
class ChipConfig:
    """How chips are cut and varied.

    Args:
        size: Side of a chip, px.
        scale: Smallest and largest magnification.
        batch: Chips that go through the network at once, on each device.
        balance: Share of chips that are centred on a pixel of a class drawn with equal chances, 0..1.
        area_power: How often an image is drawn: 1 in proportion to its area, 0.5 to the area's root, 0 equally often.
        brightness: Largest shift, share of the full range.
        contrast: Largest relative change of contrast.
        gamma: Largest change of the logarithm of gamma.
        gain: Largest relative change of a single band.
        saturation: Largest relative change of the distance of colours from grey.
        blur: Largest standard deviation of a Gaussian blur, px.
        light: Largest change of the logarithm of a factor on all bands.
        haze: Largest share of white mixed in, 0..1.
        grey: Share of chips that lose their colour, 0..1.
        stretch: Share of chips stretched to the 2nd to 98th percentile of their image, as a run stretches rasters of
            more than 8 bits, 0..1.
        style: Share of chips that take on the mean and standard deviation of each band of another chip, 0..1.
        paste: Share of chips into which a rectangle of another chip is pasted, 0..1.
        calm: Share of a run, at its end, in which chips look almost as images do: see :meth:`calmed`; 0..1.
        calm_strength: Factor on all variation in that part, 0..1.
    """

    size: int = 256
    scale: tuple[float, float] = (0.7, 1.5)
    batch: int = 8
    balance: float = 0.0
    area_power: float = 0.5
    brightness: float = 0.2
    contrast: float = 0.35
    gamma: float = 0.35
    gain: float = 0.15
    saturation: float = 0.0
    blur: float = 0.0
    light: float = 0.0
    haze: float = 0.0
    grey: float = 0.0
    stretch: float = 0.0
    style: float = 0.0
    paste: float = 0.0
    calm: float = 0.0
    calm_strength: float = 1 / 3

    def __post_init__(self) -> None:
        require(
            self.size >= 16 and self.batch >= 1, f"size must be >= 16 and batch >= 1, got {self.size}, {self.batch}."
        )
        require(
            0 < self.scale[0] <= self.scale[1] <= _MOST_SCALE,
            f"scale must be positive and rise, to {_MOST_SCALE} at most, got {self.scale}.",
        )
        for name in ("brightness", "contrast", "gamma", "gain", "saturation", "light"):
            value = getattr(self, name)
            require(0 <= value <= _MOST_CHANGE, f"chips.{name} must lie in 0..{_MOST_CHANGE}, got {value}.")
        for name in ("balance", "haze", "grey", "stretch", "style", "paste", "calm_strength"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"chips.{name} must lie in 0..1, got {value}.")
        require(0 <= self.area_power <= 1, f"area_power must lie in 0..1, got {self.area_power}.")
        require(0 <= self.blur <= 4, f"blur must lie in 0..4 px, got {self.blur}.")
        require(0 <= self.calm <= 1, f"calm must lie in 0..1, got {self.calm}.")

    def calmed(self) -> ChipConfig:
        """Return the configuration with less variation, by the factor ``calm_strength``, and chips cut anywhere.

        A network that ends its training on images as they are fits them better than one that has seen only varied
        ones. Source: Touvron et al. 2019, Fixing the train-test resolution discrepancy,
        https://arxiv.org/abs/1906.06423.
        """
        factor = self.calm_strength
        low, high = (float(side**factor) for side in self.scale)
        varied = {name: getattr(self, name) * factor for name in _VARIATIONS}
        return replace(self, scale=(low, high), balance=0.0, **varied)


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW with linear warm-up, then cosine decay or a constant rate with a decay at the end.

    Args:
        steps: Optimizer steps of the whole run.
        rate: Highest learning rate.
        encoder_rate: Highest learning rate of a pretrained encoder.
        weight_decay: Decoupled decay of the weights.
        warmup: Steps over which the rate rises.
        decay: Steps at the end over which the rate falls from a constant to zero; 0 for a cosine over the whole run.
        clip: Largest gradient norm.
        accumulate: Batches whose gradients are averaged for one step.
        average: Decay of the moving average of the weights that is evaluated and exported; 0 for none.
    """

    steps: int = 1000
    rate: float = 1e-3
    encoder_rate: float = 4e-4
    weight_decay: float = 1e-2
    warmup: int = 50
    decay: int = 0
    clip: float = 1.0
    accumulate: int = 1
    average: float = 0.99

    def __post_init__(self) -> None:
        require(
            self.steps >= 1 and self.warmup >= 0 and 0 <= self.decay <= self.steps,
            f"steps must be >= 1, warmup >= 0 and decay in 0..steps, got {self.steps}, {self.warmup}, {self.decay}.",
        )
        rates = (self.rate, self.encoder_rate)
        require(
            all(0 < rate < math.inf for rate in rates),
            f"rate and encoder_rate must be positive and finite, got {rates}.",
        )
        require(self.clip > 0, f"clip must be positive, got {self.clip}.")
        require(
            math.isfinite(self.weight_decay) and self.weight_decay >= 0,
            f"weight_decay must be a finite number of at least 0, got {self.weight_decay}.",
        )
        require(self.accumulate >= 1, f"accumulate must be at least 1, got {self.accumulate}.")
        require(0 <= self.average < 1, f"average must lie in 0..1, got {self.average}.")


@dataclass(frozen=True, slots=True)
class LossConfig:
    """A weighted sum of losses; see :mod:`.losses`.

    Args:
        focal: Weight of the focal loss.
        gamma: Its focusing parameter; 0 gives cross entropy.
        alpha: Its weight of each class; empty for equal weights, ``balanced`` for one over the square root of the
            class's share of the training labels.
        smoothing: Share of the label that it spreads over all classes, 0..1.
        dice: Weight of the soft Dice loss.
        lovasz: Weight of the Lovász-Softmax loss.
        border: Labelled pixels nearer than this to another class are border pixels, px; 0 for none.
        border_weight: Weight of border pixels, 0..1.
        coarse: Compare the logits with every so-manieth label before they are enlarged, where the network's output is
            coarser than its input. Steps are faster so.
    """

    focal: float = 1.0
    gamma: float = 0.75
    alpha: tuple[float, ...] | str = ()
    smoothing: float = 0.0
    dice: float = 0.5
    lovasz: float = 0.0
    border: int = 0
    border_weight: float = 0.0
    coarse: bool = False

    def __post_init__(self) -> None:
        weights = (self.focal, self.dice, self.lovasz)
        require(
            min(weights) >= 0 and sum(weights) > 0,
            f"focal, dice and lovasz must be at least 0 and one of them positive, got {weights}.",
        )
        require(0 <= self.gamma < math.inf, f"gamma must be at least 0 and finite, got {self.gamma}.")
        if isinstance(self.alpha, str):
            require(self.alpha == "balanced", f"alpha must be weights or 'balanced', got '{self.alpha}'.")
        else:
            require(
                all(0 <= weight < math.inf for weight in self.alpha) and (not self.alpha or any(self.alpha)),
                f"alpha must be finite weights of at least 0, one of them positive, got {self.alpha}.",
            )
        require(0 <= self.smoothing < 1, f"smoothing must lie in 0..1, got {self.smoothing}.")
        require(
            self.border >= 0 and 0 <= self.border_weight <= 1,
            f"border must be at least 0 and border_weight lie in 0..1, got {self.border} and {self.border_weight}.",
        )


@dataclass(frozen=True, slots=True)
class RunConfig:
    """How the run goes about it.

    Args:
        seed: Of everything random.
        threads: CPU threads of each process; 0 leaves the default.
        accelerator: ``auto``, ``cpu``, ``cuda`` or another that Lightning Fabric knows.
        devices: How many on each node, ``auto`` for all.
        num_nodes: Number of nodes.
        strategy: How devices share the work, as Lightning Fabric names it; ``auto`` is DDP for more than one.
        precision: As Lightning Fabric names it, e.g. ``32-true`` or ``bf16-mixed``.
        epoch: Steps after which the model is validated, drawn and saved.
        patience: Epochs without a better mean IoU after which the run ends; 0 for never.
        log_every: Steps between log rows.
        save_every: Steps between further saves of ``last.ckpt``; 0 for after each epoch only.
        pictures: How many places the picture of an epoch shows; 0 for no picture.
        tensorboard: Write TensorBoard logs.
    """

    seed: int = 1
    threads: int = 0
    accelerator: str = "auto"
    devices: int | str = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    epoch: int = 100
    patience: int = 0
    log_every: int = 20
    save_every: int = 0
    pictures: int = 4
    tensorboard: bool = True

    def __post_init__(self) -> None:
        require(
            self.epoch >= 1 and self.log_every >= 1,
            f"epoch and log_every must be at least 1 step, got {self.epoch} and {self.log_every}.",
        )
        for name in ("seed", "threads", "patience", "save_every", "pictures"):
            require(getattr(self, name) >= 0, f"{name} must be at least 0, got {getattr(self, name)}.")
        require(self.seed < MOST_SEED, f"run.seed must be below 2^63, got {self.seed}.")
        require(
            self.devices == "auto" or (isinstance(self.devices, int) and self.devices >= 1),
            f"devices must be at least 1 or 'auto', got {self.devices!r}.",
        )
        require(self.num_nodes >= 1, f"num_nodes must be at least 1, got {self.num_nodes}.")


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """All of the above."""

    data: DataConfig = field(default_factory=DataConfig)
    sources: tuple[SourceConfig, ...] = ()
    split: SplitConfig = field(default_factory=SplitConfig)
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
        kinds = _sections()
        require(
            not set(value) - set(kinds),
            f"Unknown sections: {', '.join(sorted(set(value) - set(kinds)))}.",
            f"Known: {', '.join(kinds)}.",
        )
        sections = {name: build_section(name, kinds[name], table) for name, table in value.items() if name != _SOURCES}
        return cls(**sections, sources=_sources(value.get(_SOURCES, ())))


_SOURCES = "sources"


def _sources(tables: Any) -> tuple[SourceConfig, ...]:
    require(isinstance(tables, list | tuple), "sources must be a list of tables.", "Write [[sources]] for each.")
    sources = tuple(build_section(_SOURCES, SourceConfig, table) for table in tables)
    names = [source.name for source in sources]
    require(len(set(names)) == len(names), f"Sources need different names, got {', '.join(names)}.")
    return sources


def _sections() -> dict[str, Any]:
    return {item.name: item.default_factory for item in fields(TrainingConfig)}


def load_config(path: str | Path | None, settings: Sequence[str] = ()) -> TrainingConfig:
    """Read a TOML file.

    Args:
        path: The file, or the name of one in ``training/configs``; None for the defaults.
        settings: ``section.key=value`` that go before what the file says.

    Raises:
        ConfigError: if it cannot be read or says something unknown.
    """
    tables = {} if path is None else _read_toml(_find(Path(path)))
    TrainingConfig.from_mapping(tables)  # so that a fault of the file is not taken for one of the settings
    sources = tables.pop(_SOURCES, [])
    kinds = _sections()
    del kinds[_SOURCES]
    return TrainingConfig.from_mapping({**override(kinds, tables, settings), _SOURCES: sources})


def _find(path: Path) -> Path:
    shipped = _CONFIGS / f"{path}.toml"
    return shipped if path.name == str(path) and not path.exists() and shipped.is_file() else path


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error}.") from error
