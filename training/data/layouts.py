"""Opens labelled data of all supported layouts."""

from __future__ import annotations

from pathlib import Path

from ..bands import InputBands
from ..config import DataConfig
from ..errors import DatasetError
from .dataset import Dataset, Entry, LabelledImage
from .dubai import open_dubai
from .files import LabelledFiles, open_files
from .masks import open_masks
from .polygons import open_polygons

__all__ = ["Dataset", "Entry", "LabelledImage", "open_dataset"]

_LABELS = ("labels.gpkg", "labels.shp", "labels.geojson")
_LAYOUTS = (
    "Supported layouts: images/ and masks/ with files of the same names; images/*.tif and a polygon layer labels.gpkg, "
    ".shp or .geojson; 'Tile N/images' and 'Tile N/masks' of the Dubai dataset."
)


def open_dataset(config: DataConfig, root: str | Path | LabelledFiles, bands: InputBands | None = None) -> Dataset:
    """List the labelled images in a folder of any supported layout, without decoding them.

    Args:
        config: Description of the data.
        root: Data folder, or files.
        bands: Bands to read; None for those of the configuration.

    Raises:
        DatasetError: if the folder is missing, empty or of another layout, or its classes or polygons are invalid.
    """
    if isinstance(root, LabelledFiles):
        return open_files(config, root, bands)
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"The folder {root} does not exist.", "Check the path of the data folder.")
    if any(folder.is_dir() for folder in root.glob("Tile */images")):
        return open_dubai(config, root, bands)
    if not (root / "images").is_dir():
        raise DatasetError(f"There are no images in {root} in a supported layout.", _LAYOUTS)
    if config.layers:
        return open_polygons(config, root, root / config.label_layers[0].file, bands)
    layers = [root / config.labels] if config.labels else [root / name for name in _LABELS if (root / name).is_file()]
    found = [layer.name for layer in layers] + ["masks"] * ((root / "masks").is_dir() and not config.labels)
    if not found:
        raise DatasetError(f"{root} has images, but neither masks nor a polygon layer.", _LAYOUTS)
    if len(found) > 1:
        raise DatasetError(
            f"{root} has several kinds of labels: {', '.join(found)}.",
            f'Keep one, or set the polygon layer: data.labels = "{found[0]}".',
        )
    return open_polygons(config, root, layers[0], bands) if layers else open_masks(config, root, bands=bands)
