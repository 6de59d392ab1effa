"""Lists the files of an ONNX model whose weights are stored outside of the ``.onnx`` file.

Every tensor of the model may name such a file, relative to the model's folder: initializers, attributes of nodes, also
in subgraphs and functions (https://github.com/onnx/onnx/blob/main/docs/ExternalData.md).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX, message_fields
from dubai_landcover_plugin.protocol.translation import tr

_MESSAGES = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor",
    },
    "sparse tensor": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}  # fmt: skip
"""Messages on the way to the entries, and the numbers of the fields that hold them; see onnx.proto."""
_DEEPEST = 100  # levels of nested messages, as in protocol buffers
_MOST = 1_000_000  # messages; reading them takes seconds
_KEY, _VALUE = 1, 2  # of an entry


def external_files(path: Path) -> list[Path]:
    """Return the files beside an ONNX model that its weights are in, sorted; none for other models.

    Raises:
        BundleError: if the model is damaged, or names a file that is missing or outside of its folder.
        OSError: if the model cannot be read.
    """
    if path.suffix.lower() != ONNX_SUFFIX:
        return []
    found = _ExternalData()
    try:
        with path.open("rb") as stream:
            found.read(stream, path.stat().st_size, "model", 0)
    except (IndexError, ValueError, OverflowError) as error:
        raise BundleError(
            tr("{path} is not an ONNX file ({error}).", path=path, error=error), tr("Export the model again.")
        ) from error
    return [_beside(path, name) for name in sorted(found.names)]


class _ExternalData:
    """Collects the file names that the tensors of a model have."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._messages = 0

    def read(self, stream: IO[bytes], size: int, message: str, depth: int) -> None:
        """Read a message of ``size`` bytes.

        Raises:
            ValueError, IndexError: if it is damaged, or there are too many messages or levels.
        """
        self._messages += 1
        if depth > _DEEPEST or self._messages > _MOST:
            raise ValueError(f"it has more than {_MOST:,} messages or {_DEEPEST} levels of them")
        inner = _MESSAGES[message]
        for number, length in message_fields(stream, size, deep=tuple(inner)):
            if number not in inner or not isinstance(length, int):
                continue
            if inner[number] == "entry":
                entry = dict(message_fields(stream, length))
                if entry.get(_KEY) == b"location" and isinstance(value := entry.get(_VALUE), bytes):
                    self.names.add(value.decode("utf-8"))
            else:
                self.read(stream, length, inner[number], depth + 1)


def _beside(path: Path, name: str) -> Path:
    """Return a file in the folder of a model.

    Raises:
        BundleError: if there is no such file.
    """
    file = path.parent / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise BundleError(
            tr("{name} names weights outside of its folder: {other_name}.", name=path.name, other_name=name),
            tr("Export the model again, with its weights."),
        )
    if not os.path.isfile(file):
        raise BundleError(
            tr("The file {name} with weights of {other_name} is missing.", name=name, other_name=path.name),
            tr("Copy it into the folder {folder}.", folder=path.parent),
        )
    return file
