"""Identity of files: whether a file still has the content that it had before.

A file is identified by the SHA-256 of its content. Size and modification time alone are not enough: a file can be
replaced by another one of the same size and time. What reading costs is saved where the file system reports that
nothing has changed: size, modification time, change time, inode and device are equal. The change time cannot be set by
programs.

Files that other programs rewrite without a change of content keep their identity: a GeoPackage that was opened and
closed (header fields of SQLite, https://www.sqlite.org/fileformat.html, section 1.3), and statistics and histograms
that GDAL and QGIS store in ``.aux.xml`` files.
"""

from __future__ import annotations

import hashlib
import os
import random
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree  # entities are refused before parsing  # nosec B405

WHOLE = 64 << 20
"""Total size of inputs up to which they are read whole, bytes; of larger ones a sample is read."""
_BLOCKS = 64  # in the sample of an input, besides head and tail of each file
_BLOCK = 1 << 16  # bytes
_CHUNK = 1 << 20  # bytes
_SQLITE = b"SQLite format 3\0"
_VOLATILE = ((18, 20), (24, 28), (92, 100))  # bytes of its header: journal mode, change counter, version of the writer
_STATISTICS = ".aux.xml"
_METADATA = b"<PAMDataset"
_CONTAINERS = ("Metadata", "PAMRasterBand")
_LARGEST_XML = 4 << 20  # bytes; larger ones are not parsed


@dataclass(frozen=True)
class FileIdentity:
    """Identity of one file at one time.

    Args:
        path: Absolute path, links resolved.
        size: Size, bytes.
        modified: Modification time, ns since 1970.
        sha256: SHA-256 of the content, hexadecimal; of size, head, tail and some blocks if ``blocks`` is not 0.
        blocks: Blocks of the sample; 0 if the whole file was read. For a sample the modification time counts too.
        status: Size, modification time (ns), change time (ns), inode and device; empty where they prove nothing.
    """

    path: str
    size: int
    modified: int
    sha256: str
    blocks: int = 0
    status: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[object, ...]:
        """What has to be equal for equal content, JSON-ready."""
        return (self.sha256, self.modified if self.blocks else None)

    def is_unchanged(self) -> bool:
        """Return whether the file has the same content now; the file is read only if its status differs."""
        try:
            if self.status and self.status == status_of(os.stat(self.path)):
                return True
            return self.key == identify_file(self.path, self.blocks).key
        except OSError:
            return False

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {**vars(self), "status": list(self.status)}

    @staticmethod
    def from_json(values: dict[str, Any]) -> FileIdentity:
        """Return the identity described by :meth:`to_json`.

        Raises:
            TypeError: if a key is unknown or missing, or a value has another type.
        """
        found = FileIdentity(**{**values, "status": tuple(values["status"])})
        texts, numbers = (found.path, found.sha256), (found.size, found.modified, found.blocks, *found.status)
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(number, int) for number in numbers):
            raise TypeError("an identity with values of unexpected types")
        return found


def identify_file(path: str | Path, blocks: int = 0) -> FileIdentity:
    """Return the identity of a file.

    Args:
        path: A regular file.
        blocks: Number of blocks to read between head and tail; 0 reads the whole file.

    Raises:
        OSError: if the file cannot be read or is not a regular file.
    """
    path = os.path.realpath(path)
    if not stat.S_ISREG(os.stat(path).st_mode):  # opening a named pipe would wait for a writer
        raise OSError(f"{path} is not a file")
    with open(path, "rb") as stream:
        status = os.fstat(stream.fileno())  # before reading: a change in the meantime must show later
        if status.st_size <= _LARGEST_XML and stream.peek(len(_METADATA)).startswith(_METADATA):
            blocks = 0
            digest = hashlib.sha256(_without_statistics(stream.read()))
        elif blocks and status.st_size > (blocks + 2) * _BLOCK:
            digest = _sample_digest(stream, status.st_size, blocks)
        else:
            blocks = 0
            digest = _content_digest(stream)
    return FileIdentity(path, status.st_size, status.st_mtime_ns, digest.hexdigest(), blocks, status_of(status))


def identify_files(paths: Iterable[str]) -> list[FileIdentity]:
    """Return the identities of the files of one input, read whole up to :data:`WHOLE` bytes in all, else sampled.

    Files that hold only statistics are left out.

    Raises:
        OSError: if one of them cannot be read or is not a regular file.
    """
    found = sorted({os.path.realpath(path) for path in paths if not holds_only_statistics(path)})
    total = sum(os.path.getsize(path) for path in found)
    blocks = max(_BLOCKS // len(found), 1) if total > WHOLE else 0
    return [identify_file(path, blocks) for path in found]


def combined_digest(files: Iterable[FileIdentity]) -> str:
    """Return one digest for several files, hexadecimal; that of the file itself if there is only one."""
    found = list(files)
    if len(found) == 1:
        return found[0].sha256
    lines = "".join(f"{file.sha256} {os.path.basename(file.path)}\n" for file in found)
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()


def holds_only_statistics(path: str) -> bool:
    """Return whether a file is an ``.aux.xml`` with nothing but statistics and histograms of bands."""
    try:
        return (
            path.endswith(_STATISTICS)
            and os.path.getsize(path) <= _LARGEST_XML
            and not _without_statistics(Path(path).read_bytes())
        )
    except OSError:
        return False


def status_of(status: os.stat_result) -> tuple[int, ...]:
    """Return size, modification time (ns), change time (ns), inode and device; nothing on Windows."""
    if os.name == "nt":
        return ()  # has no change time: st_ctime is the time of creation
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev


def _content_digest(stream: IO[bytes]) -> Any:
    digest = hashlib.sha256()
    chunk = stream.read(_CHUNK)
    if chunk.startswith(_SQLITE):
        header = bytearray(chunk)
        for start, end in _VOLATILE:
            header[start:end] = bytes(end - start)
        chunk = bytes(header)
    while chunk:
        digest.update(chunk)
        chunk = stream.read(_CHUNK)
    return digest


def _sample_digest(stream: IO[bytes], size: int, blocks: int) -> Any:
    """Return the digest of size, head, tail and blocks at positions that depend only on the size."""
    digest = hashlib.sha256(str(size).encode())
    draw = random.Random(size)  # noqa: S311 (not for secrets)  # nosec B311
    starts = sorted(draw.randrange(size - _BLOCK) for _ in range(blocks))
    for start in (0, *starts, size - _BLOCK):
        stream.seek(start)
        digest.update(stream.read(_BLOCK))
    return digest


def _without_statistics(content: bytes) -> bytes:
    """Return an ``.aux.xml`` without statistics and histograms; empty if it holds nothing else."""
    if not content.startswith(_METADATA) or b"<!" in content.replace(b"<!--", b""):  # entities are not expanded
        return content
    try:
        root = ElementTree.fromstring(content)  # noqa: S314  # nosec B314
        _prune(root)
        return ElementTree.tostring(root) if len(root) else b""
    except (ElementTree.ParseError, ValueError, RecursionError):
        return content


def _prune(parent: ElementTree.Element) -> None:
    """Remove statistics, histograms, elements that become empty without them, and white space between elements."""
    for child in list(parent):
        _prune(child)
        child.tail = None
        is_statistic = child.tag == "MDI" and child.get("key", "").startswith("STATISTICS_")
        if is_statistic or child.tag == "Histograms" or (child.tag in _CONTAINERS and not len(child)):
            parent.remove(child)
    if not (parent.text or "").strip():
        parent.text = None
