"""An open model file: metadata are read at once, the network on first use."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open

from dubai_landcover_plugin.core.bundle.onnx_files import external_files
from dubai_landcover_plugin.core.bundle.reading import reading_weights
from dubai_landcover_plugin.core.io.file_identity import FileIdentity, combined_digest, identify_file
from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.model_file import GRAPH_PREFIX, read_metadata
from dubai_landcover_plugin.protocol.model_folders import find_model
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX
from dubai_landcover_plugin.protocol.translation import tr

if TYPE_CHECKING:
    from dubai_landcover_plugin.core.networks import SegmentationModel


class ModelBundle:
    """A model: metadata and network.

    The network is read on first use: PyTorch takes seconds to load and is not needed if the network is already compiled
    for another runtime.

    Args:
        metadata: Metadata of the model.
        model: The network, in evaluation mode, float32, on the CPU, without gradients; None reads it from ``path``.
        digest: SHA-256 of the file, hexadecimal; of a list of all files if the weights are in files of their own.
        path: The file, or None.
        files: Identities of all files of the model at the time of opening.
    """

    def __init__(
        self,
        metadata: BundleMetadata,
        model: SegmentationModel | None,
        digest: str,
        path: Path | None = None,
        files: tuple[FileIdentity, ...] = (),
    ) -> None:
        self.metadata = metadata
        self.digest = digest
        self.path = path
        self.files = files
        if model is not None:
            self.__dict__["model"] = model  # the value of the cached property

    @property
    def is_onnx(self) -> bool:
        """Whether the model is an ONNX file, which PyTorch does not support."""
        return self.path is not None and self.path.suffix.lower() == ONNX_SUFFIX

    @cached_property
    def model(self) -> SegmentationModel:
        """The network in PyTorch.

        Raises:
            BundleError: if the model has none, or the file is damaged or does not match its metadata.
        """
        if self.path is None or self.is_onnx:
            raise BundleError(
                tr("The model '{model}' has no network for PyTorch.", model=self.metadata.name),
                tr("Use a .safetensors model."),
            )
        from dubai_landcover_plugin.core.bundle.weights import load_network

        network = load_network(self.path, self.metadata)
        self.check_unchanged()
        return network

    @property
    def is_unchanged(self) -> bool:
        """Whether the files of the model are those that were opened."""
        return all(file.is_unchanged() for file in self.files)

    def check_unchanged(self) -> None:
        """Check that the files of the model are those that were opened; :attr:`digest` is theirs.

        Raises:
            BundleError: if one was changed or replaced.
        """
        if not self.is_unchanged:
            raise BundleError(
                tr(
                    "The model {path} was changed or replaced while it was in use; no result was written.",
                    path=self.path,
                ),
                tr("Run it again once no other program writes the file."),
            )

    def has_graph(self, name: str) -> bool:
        """Return whether the file has a graph of the network for OpenVINO, see :meth:`graph`.

        Raises:
            BundleError: if the file is damaged.
        """
        if self.path is None or self.is_onnx:
            return False
        with reading_weights(self.path), safe_open(self.path, framework="numpy") as stored:
            return GRAPH_PREFIX + name in stored.keys()  # noqa: SIM118

    def graph(self, name: str) -> bytes | None:
        """Return a stored graph of the network for OpenVINO, see :func:`.unpack`; None if the file does not have it.

        Args:
            name: ``float32``, ``float32_tta``, ``features`` or ``int8``, see :mod:`.graphs`.

        Raises:
            BundleError: if the file is damaged.
        """
        if self.path is None or self.is_onnx:
            return None
        with reading_weights(self.path), safe_open(self.path, framework="numpy") as stored:
            key = GRAPH_PREFIX + name
            content = bytes(stored.get_tensor(key)) if key in stored.keys() else None  # noqa: SIM118
        self.check_unchanged()
        return content


def open_bundle(name_or_path: str | Path) -> ModelBundle:
    """Return a model by installed name or path; only its metadata are read and validated.

    Raises:
        BundleError: if there is no such model, or its file is of another type or has no valid metadata.
    """
    path = find_model(str(name_or_path))
    if path.suffix.lower() not in (BUNDLE_SUFFIX, ONNX_SUFFIX):
        raise BundleError(
            tr(
                "{name} is not a {suffix} or {other_suffix} file; other types of model files are refused, "
                "because .pt and .pth files can run code when opened.",
                name=path.name,
                suffix=BUNDLE_SUFFIX,
                other_suffix=ONNX_SUFFIX,
            ),
            tr("Export the model with the training module."),
        )
    try:
        metadata = read_metadata(path)
        files = tuple(identify_file(file) for file in (path, *external_files(path)))
    except OSError as error:
        raise BundleError(
            tr("The model {path} cannot be read: {error}.", path=path, error=error),
            tr("Check the file and its permissions."),
        ) from error
    return ModelBundle(metadata, None, combined_digest(files), path, files)


def load_bundle(name_or_path: str | Path) -> ModelBundle:
    """Return a model by installed name or path, with its network loaded.

    Raises:
        BundleError: see :func:`open_bundle`; also if the weights are damaged or do not match the metadata.
    """
    bundle = open_bundle(name_or_path)
    _ = bundle.model
    return bundle


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, hexadecimal."""
    return identify_file(path).sha256
