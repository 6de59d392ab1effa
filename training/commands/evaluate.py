"""The commands ``evaluate`` and ``calibrate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dubai_landcover_plugin.cli.terminal import say
from dubai_landcover_plugin.cli.values import Command
from dubai_landcover_plugin.protocol.requests.segmentation import DEVICES, PRECISIONS, SegmentOptions

from ..errors import ConfigError
from .options import CONTEXT, argument, setting_option, words_option

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.bundle.bundle import ModelBundle

    from ..config import TrainingConfig
    from ..data.dataset import Dataset
    from ..data_config import SourceConfig
    from ..evaluation.cross_calibration import Calibration
    from ..evaluation.figures import Evaluation
    from ..evaluation.selection import Selection

_MOST_BOUNDARY = 1000  # px; beyond it whole images are border

_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Choice:
    """Options that select data and images, see :func:`choice_options`."""

    data: str | None
    validation: bool
    config: str | None
    settings: Sequence[str]
    groups: Sequence[str]
    names: Sequence[str]


def choice_options(function: _Function) -> _Function:
    """Add the options of :class:`Choice`."""
    return _with_options(
        function,
        click.option("--data", metavar="FOLDER", help="Data folder, as for training."),
        click.option("--validation", is_flag=True, help="Only images held out in the training of the model."),
        click.option("--config", metavar="FILE.toml", help="Only images held out by the split of this configuration."),
        setting_option("Override a value of the configuration, for example split.fold=2; may be repeated."),
        words_option("--groups", "NAME", "Only images of these places, for example tile1 tile3."),
        words_option("--names", "NAME", "Only these images."),
    )


def _computation_options(function: _Function) -> _Function:
    """Add the options of the computation."""
    return _with_options(
        function,
        click.option("--device", type=click.Choice(DEVICES), default="auto", show_default=True, help="Device."),
        click.option(
            "--precision", type=click.Choice(PRECISIONS), default="auto", show_default=True, help="Precision."
        ),
    )


def _with_options(function: _Function, *options: Callable[[_Function], _Function]) -> _Function:
    for option in reversed(options):
        function = option(function)
    return function


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "Model file, or name of an installed model.", required=False)
@choice_options
@_computation_options
@click.option("--tta", is_flag=True, help="Test-time augmentation.")
@click.option("--window", type=int, metavar="PX", help="Side of the windows.  [default: that of the model]")
@click.option("--overlap", type=int, metavar="PX", help="Overlap of windows.  [default: an eighth of the window]")
@click.option("--boundary", type=int, metavar="PX", help="Distance of the boundary IoU.  [default: 5]")
@click.option("--output", metavar="FILE.json", help="Write metrics and counts, and a .md and a .html file next to it.")
@click.option("--log", metavar="log.csv", help="Log of the training run, for curves on the page.")
@click.option("--pictures", metavar="FOLDER", help="Write a PNG of each image with labels and prediction.")
@words_option("--pool", "FILE.json", "Pool these earlier evaluations instead of evaluating a model.")
def evaluate(
    model: str | None,
    device: str,
    precision: str,
    tta: bool,
    window: int | None,
    overlap: int | None,
    boundary: int | None,
    output: str | None,
    log: str | None,
    pictures: str | None,
    pool: Sequence[str],
    **choice: Any,
) -> None:
    """Compare a model with labels, or pool earlier evaluations."""
    from ..evaluation.boundary import DISTANCE
    from ..evaluation.figures import load_evaluation
    from ..evaluation.figures import pool as pool_evaluations
    from ..evaluation.files import check_output, write_evaluation
    from ..evaluation.text import markdown
    from ..monitoring.curves import read_log

    if boundary is not None and not 0 <= boundary <= _MOST_BOUNDARY:
        raise ConfigError(f"--boundary must be in 0..{_MOST_BOUNDARY} px, got {boundary}.")
    rows = read_log(log) if log else ()
    if output:
        check_output(output)  # before hours of work
    strips: dict[str, Any] = {}
    if pool:
        evaluation = pool_evaluations([load_evaluation(path) for path in pool])
    elif not model:
        raise ConfigError("There is no model to evaluate.", "Give one, or pool earlier evaluations with --pool.")
    else:
        options = SegmentOptions(
            model=model, tta=tta, device=device, precision=precision, window=window, overlap=overlap
        )
        distance = DISTANCE if boundary is None else boundary
        evaluation = _compare(Choice(**choice), options, distance, strips if output else None, pictures)
    print(f"\n{markdown(evaluation.to_json())}")
    if output:
        for path in write_evaluation(output, evaluation, rows, strips):
            print(path)


def _compare(
    choice: Choice, options: SegmentOptions, distance: int, strips: dict[str, Any] | None, pictures: str | None
) -> Evaluation:
    """Evaluate a model; collect strips of the images in ``strips`` and write PNGs to ``pictures``."""
    from dubai_landcover_plugin.core.bundle.bundle import load_bundle

    from ..evaluation.evaluate import evaluate as evaluate_model
    from ..evaluation.page import STRIP_WIDTH
    from ..monitoring.pictures import save_comparison, strip

    bundle = load_bundle(options.model)
    config, dataset, selection = choose_images(choice, bundle)
    scheme = bundle.metadata.scheme

    def draw(image: Any, predicted: Any, result: Any) -> None:
        if strips is not None:
            strips[result.name] = strip(image, predicted, scheme, STRIP_WIDTH)
        if pictures:
            save_comparison(Path(pictures) / f"{result.name.replace('/', '_')}.png", image, predicted, scheme)

    return evaluate_model(
        bundle,
        dataset,
        selection,
        replace(options, bands=_chosen_bands(config, bundle)),
        distance,
        say,
        draw,
    )


def _chosen_bands(config: TrainingConfig, bundle: ModelBundle) -> tuple[int, ...] | None:
    """Return the numbers in the configuration if they are not those of the model; None reads the bands of the model.

    They count for models of earlier versions, which do not record their bands.
    """
    numbers = config.data.input_bands.numbers
    return numbers if numbers and numbers != bundle.metadata.band_numbers else None


def choose_images(choice: Choice, bundle: ModelBundle) -> tuple[TrainingConfig, Dataset, Selection]:
    """Return the configuration of data and split, the dataset, and the selected images.

    Raises:
        ConfigError: if the options contradict each other or name unknown images.
        DatasetError: if the data cannot be read or no image remains.
    """
    from ..config import TrainingConfig, load_config
    from ..data.sources import bands_of, open_data
    from ..evaluation.selection import select

    if not choice.data:
        raise ConfigError("There is no data.", "Give the data folder with --data.")
    if choice.validation and choice.config:
        raise ConfigError("--validation and --config both select the images.", "Give one of them.")
    if choice.settings and not choice.config:
        raise ConfigError("--set overrides a configuration, but there is none.", "Give it with --config.")
    config = TrainingConfig()
    if choice.config:
        config = load_config(choice.config, choice.settings)
    elif choice.validation:
        config = _own_config(bundle)
    else:
        config = replace(config, sources=_own_sources(bundle, Path(choice.data)))
    config = replace(config, model=replace(config.model, gsd=bundle.metadata.gsd))
    dataset = open_data(config, choice.data, bands_of(config, bundle.metadata))
    split = config.split if choice.config or choice.validation else None
    return config, dataset, select(dataset, split, choice.names, choice.groups)


def _own_config(bundle: ModelBundle) -> TrainingConfig:
    """Return the configuration with which a model was trained.

    Raises:
        ConfigError: if the model file lacks it.
    """
    from ..config import TrainingConfig

    try:
        return TrainingConfig.from_mapping(bundle.metadata.training["config"])
    except (KeyError, ConfigError) as error:
        raise ConfigError(
            f"The model '{bundle.metadata.name}' does not record which images its training held out: {error}.",
            "Give its configuration with --config, or select images by --groups or --names.",
        ) from error


def _own_sources(bundle: ModelBundle, data: Path) -> tuple[SourceConfig, ...]:
    """Return the sources of the training of a model if the data folder has them all; otherwise none.

    Without sources the data folder itself is read as a dataset.
    """
    try:
        sources = _own_config(bundle).sources
    except ConfigError:
        return ()
    return sources if all((data / source.folder).is_dir() for source in sources) else ()


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "A .safetensors model file, which is changed.")
@choice_options
@_computation_options
@click.option("--temperature", type=float, metavar="T", help="Store this temperature instead of fitting one.")
@click.option(
    "--class-bias",
    type=click.Choice(("auto", "yes", "no")),
    default="auto",
    show_default=True,
    help="Also fit a bias of each class. auto: only if it is better on places kept out of the fit.",
)
@click.option("--dry-run", is_flag=True, help="Fit and print without changing the file.")
def calibrate(
    model: str,
    device: str,
    precision: str,
    temperature: float | None,
    class_bias: str,
    dry_run: bool,
    **choice: Any,
) -> None:
    """Fit temperature and class bias of a model and store them in the model file."""
    from dubai_landcover_plugin.core.bundle.bundle import load_bundle
    from dubai_landcover_plugin.core.bundle.graphs import FLOAT, INT8
    from dubai_landcover_plugin.core.bundle.save import replace_metadata
    from dubai_landcover_plugin.protocol.model_folders import find_model

    from ..evaluation.calibration import LIMITS
    from ..evaluation.text import bias_list

    bundle = load_bundle(model)
    record: dict[str, Any] = {"temperature": temperature, "class_bias": list(bundle.metadata.class_bias)}
    low, high = LIMITS
    if temperature is not None and not low <= temperature <= high:
        raise ConfigError(f"--temperature must be in {low:g}..{high:g}, got {temperature:g}.")
    if temperature is not None and class_bias == "yes":
        raise ConfigError("With --temperature nothing is fitted, so --class-bias yes has no effect.", "Give one.")
    if temperature is None:
        record = _fit(bundle, Choice(**choice), (device, precision), class_bias)
    if dry_run:
        return
    path = find_model(model)
    metadata = replace(
        bundle.metadata,
        temperature=float(record["temperature"]),
        class_bias=tuple(record["class_bias"]),
        error_ratios=tuple(record.get("error_ratios", ())),
        training={**bundle.metadata.training, "calibration": record},
    )
    had = {name for name in (FLOAT, INT8) if bundle.has_graph(name)}
    replace_metadata(path, metadata)
    bias = f"the class bias {bias_list(metadata)}" if metadata.class_bias else "no class bias"
    print(f"{path} now has temperature {record['temperature']:.4g} and {bias}.")
    program = f"python -m {__package__.rpartition('.')[0]}"
    if any(not load_bundle(path).has_graph(name) for name in had):
        data = " --data FOLDER" if INT8 in had else ""
        print(f"Its graphs for OpenVINO were removed; add new ones with: {program} graphs {path}{data}")
    print(f"Update its card with: {program} card {path}")


def _fit(bundle: ModelBundle, choice: Choice, computation: tuple[str, str], class_bias: str) -> dict[str, Any]:
    """Fit a scaling to the selected images, print and return the result."""
    from ..data.places import place_names
    from ..evaluation.calibration import Scaling, sample_logits
    from ..evaluation.cross_calibration import BIASED, STORED, calibrate_sample, calibration_table
    from ..evaluation.evaluate import in_channels_of

    _, dataset, selection = choose_images(choice, bundle)
    place_of = place_names(dataset, selection.entries)
    places = len(set(place_of.values())) > 1
    images = (
        (
            place_of[entry.name] if places else entry.name,
            in_channels_of(bundle.metadata.scheme, dataset.scheme, entry.load().at_model_gsd()),
        )
        for entry in selection.entries
    )
    sample = sample_logits(bundle, images, *computation)
    fitted = calibrate_sample(sample, Scaling.of(bundle.metadata), class_bias, places)
    kind = f"{fitted.parts} {'places' if places else 'images of one place'}"
    kept_out = f"{kind}, each left out of the fit once" if fitted.parts > 1 else ""
    print(f"{selection.description}\n")
    print(f"{fitted.pixels:,} px of {kept_out or 'one image, without a fit'}:\n")
    print(calibration_table(fitted, [entry.name for entry in bundle.metadata.scheme.classes]))
    if fitted.parts < 2:
        print("\nThe quality of the fit is unknown: it takes images at two places, one of which is left out.")
    elif class_bias == "auto" and fitted.kind != BIASED:
        print(f"\nNo class bias: {_refusal(fitted)}")
    if fitted.kind == STORED:
        print("\nThe stored values are kept: the fit lowers the likelihood where it did not see the labels.")
    elif fitted.is_worse:
        print("\nThe fit lowers the likelihood where it did not see the labels: consider keeping the stored values.")
    print()
    if fitted.kind == STORED:
        return {**bundle.metadata.training.get("calibration", {}), **fitted.to_json()}
    return {**fitted.to_json(), "kept_out": kept_out, "images": selection.description}


def _refusal(fitted: Calibration) -> str:
    from ..evaluation.cross_calibration import lowered_by_bias

    if fitted.places:
        return f"on places kept out it lowers the {', the '.join(lowered_by_bias(fitted.kept_out))}."
    return "all images are at one place, so it may not hold elsewhere. Force it with --class-bias yes."
