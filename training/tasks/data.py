"""Labelled data of a request: its files, its classes, and the part of the configuration that reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from dubai_landcover_plugin.core.io.class_legend import generated_colour
from dubai_landcover_plugin.core.io.layer_source import file_of, layer_of
from dubai_landcover_plugin.core.teaching.teach import new_classes
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.requests.labelling import LabelledData
from dubai_landcover_plugin.protocol.translation import english, tr

from ..config import DataConfig
from ..data.files import LabelledFiles
from ..data.names import listing
from ..data.pixels import list_images
from ..errors import DatasetError

_AROUND = 0  # rasters are cut around their polygons


def files_of(
    data: LabelledData, scheme: ClassScheme | None, start: str = "", gsd: float | None = None
) -> LabelledFiles:
    """Return the files of a request and their classes.

    Args:
        data: The request's data.
        scheme: Classes of the model that the training starts from, or that is evaluated; None for none.
        start: Its name.
        gsd: Pixel size of images without georeference, m; None if it is not known.

    Raises:
        RequestError: if rasters or labels are missing.
        ClassSchemeError: if a new class is invalid or known.
        DatasetError: if a folder is missing or two images have one name.
    """
    data.check_complete()
    images = _images(data)
    classes = with_new_classes(scheme, data.new_classes)
    origin = tr("the new classes") if data.new_classes else tr("Dubai dataset")
    if scheme is not None:
        added = ", ".join(entry.name for entry in classes.classes[len(scheme.classes) :])
        own = tr("those of {start}", start=start)
        origin = tr("those of {start}, and {names}", start=start, names=added) if added else own
    labels = None if data.labels is None else Path(file_of(data.labels))
    masks = None if data.masks is None else list_images(_folder(data.masks))
    named = labels.name if labels is not None else Path(data.masks or "").name
    with english():
        title = _title(images, named)
    return LabelledFiles(images, classes, title, origin, labels, masks, gsd or 0.0, _title(images, named))


def _title(images: Mapping[str, Path], labels: str) -> str:
    names = listing(list(images), 5)
    return tr("Rasters {names} with the labels of {labels}, licence not stated", names=names, labels=labels)


def data_config(data: LabelledData) -> DataConfig:
    """Return how the files of a request are read."""
    layer = "" if data.labels is None else layer_of(data.labels)
    return DataConfig(
        layer=layer,
        field=data.class_field or "",
        values=data.values(),
        bands=data.bands,
        second=data.second or "",
        block=_AROUND,
    )


def with_new_classes(scheme: ClassScheme | None, texts: Sequence[str]) -> ClassScheme:
    """Return classes with further ones.

    Args:
        scheme: The classes; None for no more than the new ones, and without these those of the Dubai dataset.
        texts: ``NAME`` or ``NAME=#RRGGBB`` of each new class.

    Raises:
        ClassSchemeError: if one is invalid or known.
    """
    if scheme is not None:
        return replace(scheme, classes=(*scheme.classes, *new_classes(texts, scheme)))
    if not texts:
        return DUBAI
    unlabeled = replace(DUBAI.unlabeled, id=len(texts) + 1)
    name, _, colour = (part.strip() for part in texts[0].partition("="))
    known = {entry.name.casefold(): entry.colour for entry in DUBAI.classes}
    first = LandCoverClass(
        1, name, colour.upper() or known.get(name.casefold()) or generated_colour(1, {unlabeled.colour})
    )
    base = ClassScheme((first,), unlabeled)
    return replace(base, classes=(first, *new_classes(texts[1:], base)))


def _images(data: LabelledData) -> Mapping[str, Path]:
    """Return the rasters of a request by name; files of one stem get the name of their folder too."""
    found = dict(list_images(_folder(data.folder))) if data.folder else {}
    paths = [Path(path) for path in data.rasters]
    stems = [path.stem for path in paths]
    for path in paths:
        if path in found.values():
            continue
        unique = stems.count(path.stem) == 1 and path.stem not in found
        name = path.stem if unique else f"{path.parent.name}/{path.stem}"
        if name in found:
            raise DatasetError(
                tr("{one} and {other} have the same name.", one=found[name], other=path),
                tr("Rename or remove one of them."),
            )
        found[name] = path
    if not found:
        raise DatasetError(
            tr("There are no images in {folder}.", folder=data.folder),
            tr("Choose a folder with .tif, .png or .jpg files."),
        )
    return found


def _folder(name: str) -> Path:
    folder = Path(name)
    if not folder.is_dir():
        raise DatasetError(tr("The folder {folder} does not exist.", folder=folder), tr("Choose another one."))
    return folder
