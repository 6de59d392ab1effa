"""A model ready for use: its description at once, its network when somebody needs it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dubai_landcover_plugin.core.errors import BundleError
from dubai_landcover_plugin.core.model_spec import BUNDLE_SUFFIX, BundleMetadata, find_model, read_metadata

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.models import SegmentationModel

_CHUNK_BYTES = 1 << 20


class ModelBundle:
    """A model.

    PyTorch takes seconds to load, and where the network was compiled for another runtime before, nobody needs it. So
    the network is read when it is first asked for.

    Args:
        metadata: What the model is and how to feed it.
        model: The network, in evaluation mode, float32, on the CPU, without gradients; None reads it from ``path``.
        digest: SHA-256 of the file, hexadecimal.
        path: The file.
    """

    def __init__(
        self, metadata: BundleMetadata, model: SegmentationModel | None, digest: str, path: Path | None = None
    ) -> None:
        self.metadata = metadata
        self.digest = digest
        self.path = path
        if model is not None:
            self.__dict__["model"] = model  # where the cached property keeps what it has read

    @cached_property
    def model(self) -> SegmentationModel:
        """The network.

        Raises:
            BundleError: if the file is damaged or contradicts its description.
        """
        if self.path is None:
            raise BundleError(f"The model '{self.metadata.name}' has no file to read its network from.")
        from dubai_landcover_plugin.core.weights import load_network

        return load_network(self.path, self.metadata)


def open_bundle(name_or_path: str | Path) -> ModelBundle:
    """Return the model of an installed name or a path; only its description is read and validated.

    Raises:
        BundleError: if there is no such model, or its file is of another kind or has no valid description.
    """
    path = find_model(str(name_or_path))
    if path.suffix.lower() != BUNDLE_SUFFIX:
        raise BundleError(
            f"{path.name} is no {BUNDLE_SUFFIX} file; other kinds of model files are refused.",
            "Files such as .pt and .pth can run code when opened. Export the model with the training module.",
        )
    metadata = read_metadata(path)
    return ModelBundle(metadata, None, file_digest(path), path)


def load_bundle(name_or_path: str | Path) -> ModelBundle:
    """Return the model of an installed name or a path, its network too.

    Raises:
        BundleError: as :func:`open_bundle`, or if the weights are damaged or contradict the description.
    """
    bundle = open_bundle(name_or_path)
    _ = bundle.model
    return bundle


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
