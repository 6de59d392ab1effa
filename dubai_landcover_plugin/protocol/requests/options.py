"""Options: everything that a user can set, described where it is declared.

A field of a request carries its title, help, range, choices and unit as metadata. The checks of a request, the command
line, the parameters in QGIS and the table in ``docs/options.md`` are made from it, so that a new option is written
once::

    min_area: float = option(20.0, low=0, unit="m²", title="Minimum mapping unit", help="Smaller regions are merged.")

Standard library only: QGIS's own Python reads this file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from pathlib import Path
from typing import Any, Callable

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.translation import joined, tr

VECTOR_SUFFIXES = {
    ".gpkg": "GPKG",
    ".shp": "ESRI Shapefile",
    ".geojson": "GeoJSON",
    ".fgb": "FlatGeobuf",
    ".parquet": "Parquet",
}
VECTORS = ("points", "lines", "polygons", "features")
"""Kinds of vector files that an option may read or write; features have geometries of any kind."""
SUFFIXES = {"raster": (".tif", ".tiff"), "page": (".html", ".htm"), "table": (".csv",), "model": (".safetensors",)}
"""Suffixes of the other files that an option may write; case does not matter."""
SECTIONS = ("", "Image", "Computing", "Result")
"""Headings of advanced parameters, in the order of dialogs. QGIS has no groups, so they stand before the titles."""
VECTOR_WORDS = ("GeoPackage", "Shapefile", "GeoJSON", "FlatGeobuf", "GeoParquet")
"""Names of :data:`VECTOR_SUFFIXES`, in their order."""
_KEY = "option"

# Texts that several requests share.
MIN_AREA_HELP = (
    "Smaller regions take the class of the neighbour with the longest common border, so that no gaps open. In pixels "
    "where the raster has no CRS."
)
SIMPLIFY_HELP = (
    "Vertices are removed as long as less area than the square of this tolerance changes sides; neighbours keep "
    "sharing their borders. 0 keeps the pixel edges. In pixels where the raster has no CRS."
)
CORNERS_HELP = "Join pixels of one class that touch only at a corner: 8-connected instead of 4-connected polygons."
CONFIDENCE_HELP = "Confidence raster of the same run, in percent."
CLASSIFIED_HELP = (
    "Raster of class ids: one that Segment Land Cover wrote, a mosaic of such rasters, or a copy edited with other "
    "tools."
)
SCHEME_HELP = (
    "Names and colours of the class ids: a model, another classified raster, a table (CSV or JSON with id, name and, "
    "if wanted, colour) or a QGIS style (.qml). By default those stored with the raster; without any, 1 Water, 2 Land, "
    "3 Road, 4 Building, 5 Vegetation and 6 Unlabeled are assumed."
)
OVERWRITE_HELP = "Replace outputs that exist."


@dataclass(frozen=True)
class Option:
    """Description of one field of a request.

    Args:
        title: Short label for dialogs.
        help: One or two sentences for dialogs, ``--help`` and the documentation.
        low: Smallest value of a number, also of numbers in a list; None sets no limit.
        high: Largest value.
        exclusive: Whether ``low`` itself is refused.
        choices: The only values of a text.
        words: What dialogs show for each choice; empty shows the choices themselves.
        unit: Unit of a number.
        filled: Whether an empty text or list is refused; fields without a default always are.
        example: A value to name in error messages.
        reads: Kind of the input: ``raster``, ``folder``, ``scheme`` (classes, in a file of any kind) or one of
            :data:`VECTORS`; empty for plain values.
        writes: Kind of the output: ``folder``, a key of :data:`SUFFIXES` or one of :data:`VECTORS`.
        flag: Name on the command line, where it is not the field's.
        metavar: Placeholder of the value on the command line.
        key: Name of the Processing parameter; empty takes the field's in upper case, None makes no parameter.
        advanced: Whether the dialog lists it among the advanced parameters.
        section: Heading of advanced parameters that belong together, one of :data:`SECTIONS`; empty for none.
        decimals: Decimals that the dialog shows; None takes 2, or 4 for a number without a default.
        proposed: For an optional output: whether the dialog proposes to write it.
        checkbox: Shown as a checkbox in dialogs; the values for unchecked and checked.
    """

    title: str
    help: str
    low: float | None = None
    high: float | None = None
    exclusive: bool = False
    choices: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    unit: str = ""
    filled: bool = False
    example: str = ""
    reads: str = ""
    writes: str = ""
    flag: str = ""
    metavar: str = ""
    key: str | None = ""
    advanced: bool = False
    section: str = ""
    decimals: int | None = None
    proposed: bool = False
    checkbox: tuple[str, str] | None = None

    def label(self, translate: Callable[[str], str] = str) -> str:
        """Return the title with its section and unit, as dialogs show it."""
        section = f"{translate(self.section)}: " if self.section and self.advanced else ""
        unit = f" ({translate(self.unit)})" if self.unit else ""
        return f"{section}{translate(self.title)}{unit}"

    def check(self, name: str, value: Any) -> None:
        """Refuse a value of the right type that is out of range.

        Raises:
            RequestError: naming the field, the value and the limit.
        """
        if self.filled and (not value or (isinstance(value, str) and not value.strip())):
            remedy = tr("Give one, for example {example}.", example=self.example) if self.example else ""
            raise RequestError(tr("{name} is needed and must not be empty.", name=name), remedy)
        if self.choices and value not in self.choices:
            raise RequestError(
                tr(
                    "{name} must be one of {names}, got '{value}'.",
                    name=name,
                    names=joined(self.choices),
                    value=value,
                )
            )
        if self.writes in VECTORS:
            vector_path(name, value)
        elif self.writes in SUFFIXES and not value.lower().endswith(SUFFIXES[self.writes]):
            raise RequestError(
                tr(
                    "{name} must end in {suffix}, got '{value}'.",
                    name=name,
                    suffix=SUFFIXES[self.writes][0],
                    value=value,
                )
            )
        for place, number in _numbers(name, value):
            self._check_range(place, number)

    def _check_range(self, name: str, value: float) -> None:
        """Refuse a number below ``low`` or above ``high``."""
        too_low = self.low is not None and (value <= self.low if self.exclusive else value < self.low)
        if too_low or (self.high is not None and value > self.high):
            raise RequestError(
                tr("{name} must be {range}, got {value}.", name=name, range=self.range_text, value=number_text(value))
            )

    @property
    def range_text(self) -> str:
        """The range in words, such as ``at least 0``; empty where every number is allowed."""
        if self.low is None:
            return "" if self.high is None else tr("at most {limit}", limit=number_text(self.high))
        if self.high is None:
            return f"{'above' if self.exclusive else 'at least'} {number_text(self.low)}"
        return tr(
            "in {low}..{high}",
            low=number_text(self.low),
            high=number_text(self.high),
        )


@dataclass(frozen=True)
class Described:
    """A field of a request with its description.

    Args:
        name: The field's name.
        kind: Its annotation, without None.
        optional: Whether None is allowed.
        default: Its default value; ``dataclasses.MISSING`` where it has none.
        option: Its description.
    """

    name: str
    kind: str
    optional: bool
    default: Any
    option: Option

    @property
    def required(self) -> bool:
        """Whether a request cannot be made without it."""
        return self.default is MISSING

    @property
    def key(self) -> str | None:
        """Name of the Processing parameter; None where there is none."""
        return self.name.upper() if self.option.key == "" else self.option.key

    @property
    def flag(self) -> str:
        """Name of the option on the command line."""
        return f"--{self.option.flag or self.name.replace('_', '-')}"


def option(default: Any = MISSING, *, factory: Callable[[], Any] | None = None, **description: Any) -> Any:
    """Return a dataclass field with a description; the keywords are those of :class:`Option`."""
    if default is MISSING and factory is None:
        description["filled"] = True
    metadata = {_KEY: Option(**description)}
    if factory is not None:
        return field(default_factory=factory, metadata=metadata)
    return field(default=default, metadata=metadata)


def scheme_option(title: str = "Class scheme") -> Any:
    """Return the field for the classes of a classified raster that the user chooses, see :data:`SCHEME_HELP`."""
    return option(None, advanced=True, title=title, help=SCHEME_HELP, reads="scheme", metavar="FILE")


def polygons_option(proposed: bool = False) -> Any:
    """Return the field for the polygons of all classes; ``proposed`` as for :class:`Option`."""
    return option(
        None,
        proposed=proposed,
        title="Polygons",
        help="The classes as polygons: GeoPackage, shapefile, GeoJSON, FlatGeobuf or GeoParquet.",
        writes="polygons",
    )


def buildings_option() -> Any:
    """Return the field for regular buildings of a classified raster."""
    return option(
        None,
        title="Buildings",
        help="Buildings with right angles, as Regularize Buildings makes them with its defaults.",
        writes="polygons",
    )


def roads_option() -> Any:
    """Return the field for the road network of a classified raster."""
    return option(
        None,
        title="Road network",
        help="Centre lines with widths, as Extract Road Network makes them with its defaults.",
        writes="lines",
    )


def building_class_option(owner: str, section: str = "") -> Any:
    """Return the field for the class of buildings; ``owner`` has the classes."""
    return option(
        "Building",
        filled=True,
        advanced=True,
        section=section,
        title="Class of buildings",
        help=f"Name or id of the {owner}'s class whose polygons become buildings.",
        metavar="CLASS",
        example="Building",
    )


def road_class_option(owner: str, section: str = "") -> Any:
    """Return the field for the class of roads; ``owner`` has the classes."""
    return option(
        "Road",
        filled=True,
        advanced=True,
        section=section,
        title="Class of roads",
        help=f"Name or id of the {owner}'s class of the road network. Buildings do not grow into it.",
        metavar="CLASS",
        example="Road",
    )


def min_area_option(advanced: bool = False, section: str = "") -> Any:
    """Return the field for the smallest polygon."""
    title = "Minimum mapping unit"
    return option(20.0, low=0, unit="m²", advanced=advanced, section=section, title=title, help=MIN_AREA_HELP)


def simplify_option(advanced: bool = False, section: str = "") -> Any:
    """Return the field for the simplification of polygons."""
    title = "Simplification tolerance"
    return option(2.0, low=0, unit="m", advanced=advanced, section=section, title=title, help=SIMPLIFY_HELP)


def description_of(metadata: Mapping[Any, Any]) -> Option | None:
    """Return the description in the metadata of a field, or None."""
    found = metadata.get(_KEY)
    return found if isinstance(found, Option) else None


def vector_path(name: str, path: str | None) -> None:
    """Refuse a vector file whose format is not known by its suffix; None passes.

    Raises:
        RequestError: naming the suffixes.
    """
    if path is not None and Path(path).suffix not in VECTOR_SUFFIXES:  # a file called ".gpkg" has no suffix
        raise RequestError(
            tr(
                "{name} must end in {suffixes}, got '{path}'.",
                name=name,
                suffixes=joined(VECTOR_SUFFIXES),
                path=path,
            )
        )


def ordered_extent(extent: tuple[float, float, float, float] | None) -> None:
    """Refuse an extent xmin, ymin, xmax, ymax that is empty or reversed; None passes.

    Raises:
        RequestError: with the four values.
    """
    if extent is not None:
        west, south, east, north = extent
        if not (west < east and south < north):
            raise RequestError(
                tr(
                    "The extent must be xmin < xmax and ymin < ymax, got {west:g}, {south:g}, {east:g}, {north:g}.",
                    west=west,
                    south=south,
                    east=east,
                    north=north,
                )
            )


def number_text(value: float) -> str:
    """Return a number without superfluous digits: 1000000, 0.02, 1e-10."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:g}"


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers in a value, each with the place where it is."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _numbers(f"{name}['{key}']", item)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _numbers(name, item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield name, value
