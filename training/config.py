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
from .start_config import StartConfig

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
    "StartConfig",
    "TrainingConfig",
    "load_config",
]

_CONFIGS = Path(__file__).resolve().parent / "configs"
_MOST_SCALE = 64  # magnification of a chip; beyond it a chip shows a few flat pixels
_MOST_CHANGE = 4  # radiometric change; beyond it chips saturate to black and white
_VARIATIONS = (
    *("brightness", "contrast", "gamma", "gain", "saturation", "blur"),
    *("light", "haze", "grey", "stretch", "style", "paste", "noise"),
)


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Network to train.

    Args:
        architecture: Name of the architecture; ``start`` for architecture, arguments, window and ground sampling
            distance of the model that the training starts from, see :class:`StartConfig`.
        arguments: Its keyword arguments.
        pretrained: Initialize the EfficientNet-lite encoder with ImageNet weights.
        frozen: Number of encoder blocks, counted from the input and including the stem, that are not trained; 0 trains
            all. Freezing makes steps faster.
        freeze_norms: Keep the statistics of batch normalization, which a few images would replace by their own.
        gsd: Ground sampling distance that the model is trained for, m/px; 0 takes it from the images, or from the start
            with ``architecture = "start"``.
        window: Default side of the windows in inference, px.
    """

    architecture: str = "unet_efficientnet"
    arguments: dict[str, Any] = field(default_factory=dict)
    pretrained: bool = True
    frozen: int = 0
    freeze_norms: bool = False
    gsd: float = 0.0
    window: int = 512

    def __post_init__(self) -> None:
        require(
            math.isfinite(self.gsd) and self.gsd >= 0,
            f"model.gsd must be a finite number of metres of at least 0, got {self.gsd}.",
            "0 takes it from the images.",
        )
        require(self.window >= 1, f"model.window must be at least 1 px, got {self.window}.")
        require(self.frozen >= 0, f"model.frozen must be at least 0, got {self.frozen}.", "0 trains all blocks.")

    def spec(self, classes: int, bands: int = 3) -> ModelSpec:
        """Return the specification of the network for ``bands`` input and ``classes`` output channels."""
        return ModelSpec(self.architecture, bands, classes, dict(self.arguments))


@dataclass(frozen=True, slots=True)
class ChipConfig:
    """Sampling and augmentation of chips.

    Args:
        size: Side of a chip, px.
        scale: Smallest and largest magnification, drawn log-uniformly.
        batch: Chips of a batch on each device.
        balance: Share of chips centred on a pixel of a uniformly drawn class, 0..1.
        area_power: Exponent of the image area in the probability of drawing an image; 1 is proportional to the area, 0
            uniform.
        brightness: Largest shift, as a share of the full range.
        contrast: Largest relative change of contrast.
        gamma: Largest absolute logarithm of gamma.
        gain: Largest relative change of each channel.
        saturation: Largest relative change of the saturation.
        blur: Largest standard deviation of the Gaussian blur, px.
        light: Largest absolute logarithm of a factor on all channels.
        haze: Largest share of white blended in, 0..1.
        grey: Share of chips converted to grey, 0..1.
        stretch: Share of chips stretched between the 2nd and 98th percentile of their image, as Segment Land Cover
            stretches rasters of more than 8 bits, 0..1.
        noise: Largest standard deviation of Gaussian noise in each pixel and channel, as a share of the full range;
            half of the chips have none.
        style: Share of chips moved towards the channel means and standard deviations of another chip, 0..1.
        paste: Share of chips into which a rectangle of another chip is pasted (CutMix), 0..1.
        calm: Share of the steps, at the end of a run, with weaker augmentation, see :meth:`calmed`; 0..1.
        calm_strength: Factor on all augmentation ranges and probabilities in those steps, 0..1.
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
    noise: float = 0.0
    calm: float = 0.0
    calm_strength: float = 1 / 3

    def __post_init__(self) -> None:
        require(
            self.size >= 16 and self.batch >= 1, f"size must be >= 16 and batch >= 1, got {self.size}, {self.batch}."
        )
        require(
            0 < self.scale[0] <= self.scale[1] <= _MOST_SCALE,
            f"scale must be two ascending numbers above 0 and at most {_MOST_SCALE}, got {self.scale}.",
        )
        for name in ("brightness", "contrast", "gamma", "gain", "saturation", "light"):
            value = getattr(self, name)
            require(0 <= value <= _MOST_CHANGE, f"chips.{name} must be in 0..{_MOST_CHANGE}, got {value}.")
        for name in ("balance", "haze", "grey", "stretch", "style", "paste", "noise", "calm_strength"):
            value = getattr(self, name)
            require(0 <= value <= 1, f"chips.{name} must be in 0..1, got {value}.")
        require(0 <= self.area_power <= 1, f"area_power must be in 0..1, got {self.area_power}.")
        require(0 <= self.blur <= 4, f"blur must be in 0..4 px, got {self.blur}.")
        require(0 <= self.calm <= 1, f"calm must be in 0..1, got {self.calm}.")

    def calmed(self) -> ChipConfig:
        """Return the configuration with augmentation scaled by ``calm_strength`` and without class balance.

        Ending the training on nearly unaugmented chips reduces the discrepancy between training and inference.

        Source: Touvron et al. 2019, Fixing the train-test resolution discrepancy,
        https://arxiv.org/abs/1906.06423.
        """
        factor = self.calm_strength
        low, high = (float(side**factor) for side in self.scale)
        varied = {name: getattr(self, name) * factor for name in _VARIATIONS}
        return replace(self, scale=(low, high), balance=0.0, **varied)


@dataclass(frozen=True, slots=True)
class OptimizerConfig:
    """AdamW with linear warm-up, then cosine decay or a trapezoid schedule (constant rate, decay at the end).

    Args:
        steps: Number of optimizer steps.
        rate: Peak learning rate.
        encoder_rate: Peak learning rate of a pretrained encoder.
        head_rate: Peak learning rate of the output layer; 0 for ``rate``.
        weight_decay: Decoupled weight decay.
        warmup: Steps of the linear warm-up.
        decay: Steps of the final decay from a constant rate to zero (trapezoid schedule); 0 for cosine decay.
        clip: Largest gradient norm; longer gradients are scaled down.
        accumulate: Batches whose gradients are averaged in one step.
        average: Decay of the exponential moving average of the weights, which is validated and exported; 0 for none.
    """

    steps: int = 1000
    rate: float = 1e-3
    encoder_rate: float = 4e-4
    head_rate: float = 0.0
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
        require(
            0 <= self.head_rate < math.inf, f"head_rate must be a finite number of at least 0, got {self.head_rate}."
        )
        require(self.clip > 0, f"clip must be positive, got {self.clip}.")
        require(
            math.isfinite(self.weight_decay) and self.weight_decay >= 0,
            f"weight_decay must be a finite number of at least 0, got {self.weight_decay}.",
        )
        require(self.accumulate >= 1, f"accumulate must be at least 1, got {self.accumulate}.")
        require(0 <= self.average < 1, f"average must be in 0..1, got {self.average}.")


@dataclass(frozen=True, slots=True)
class LossConfig:
    """A weighted sum of losses; see :mod:`.losses`.

    Args:
        focal: Weight of the focal loss.
        gamma: Focusing parameter of the focal loss; 0 gives cross entropy.
        alpha: Its class weights; empty for equal weights, ``balanced`` for the inverse square root of the class
            frequency in the training labels.
        smoothing: Its label smoothing, 0..1.
        dice: Weight of the soft Dice loss.
        lovasz: Weight of the Lovász-Softmax loss.
        border: Pixels within this distance of another class are border pixels, px; 0 for none.
        border_weight: Weight of border pixels, 0..1.
        coarse: Compute the loss at the network's output stride, with labels subsampled to that stride, instead of on
            upsampled logits. Makes steps faster.
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
        require(0 <= self.smoothing < 1, f"smoothing must be in 0..1, got {self.smoothing}.")
        require(
            self.border >= 0 and 0 <= self.border_weight <= 1,
            f"border must be at least 0 and border_weight in 0..1, got {self.border} and {self.border_weight}.",
        )


@dataclass(frozen=True, slots=True)
class RunConfig:
    """Devices, logging and saving.

    Args:
        seed: Random seed.
        threads: CPU threads of each process; 0 for the default of PyTorch.
        accelerator: ``auto``, ``cpu``, ``cuda`` or another accelerator of Lightning Fabric.
        devices: Number of devices on each node, ``auto`` for all.
        num_nodes: Number of nodes.
        strategy: Strategy of Lightning Fabric; ``auto`` is DDP for more than one device.
        precision: Precision of Lightning Fabric, for example ``32-true`` or ``bf16-mixed``.
        epoch: Steps between validations; each is followed by a picture and a checkpoint.
        patience: Epochs without a better mean IoU after which training stops early; 0 for never.
        log_every: Steps between log rows.
        save_every: Steps between additional saves of ``last.ckpt``; 0 saves after each epoch only.
        pictures: Number of crops in the picture of an epoch; 0 for no picture.
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
    """Configuration of a run: one section for each dataclass above, and the list of sources."""

    data: DataConfig = field(default_factory=DataConfig)
    sources: tuple[SourceConfig, ...] = ()
    split: SplitConfig = field(default_factory=SplitConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    start: StartConfig = field(default_factory=StartConfig)
    chips: ChipConfig = field(default_factory=ChipConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_mapping(cls, value: dict[str, Any]) -> TrainingConfig:
        """Return the configuration of nested tables.

        Raises:
            ConfigError: for unknown sections or keys, values of a wrong type and values out of range.
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
        settings: ``section.key=value``, which override the file.

    Raises:
        ConfigError: if the file cannot be read, or a key or value is invalid.
    """
    tables = {} if path is None else _read_toml(_find(Path(path)))
    TrainingConfig.from_mapping(tables)  # errors of the file are reported before those of the settings
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
