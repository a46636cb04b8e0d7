"""Where record files lie: a folder of this machine, or what a URI names; a file is whole before it has its name."""

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from pyarrow import fs

from supervise.evidence.refusals import NoRoomError
from supervise.evidence.store import RecordStore

_CHUNK_BYTES = 1 << 20
#: Below the warehouse or the scratch folder: what imports under way have read so far.
_INCOMING = "incoming"
#: What a disk, a quota or a limit of the process says when it takes no more.
_NO_ROOM = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))


@dataclass(frozen=True)
class Warehouse:
    """The files of a record store."""

    store: RecordStore

    @property
    def is_local(self) -> bool:
        """Whether the files lie in a folder of this machine."""
        return "://" not in self.store.uri.removeprefix("file://")

    @property
    def incoming(self) -> Path:
        """Where imports keep what they have read; on the disk of the warehouse, if that is one of ours."""
        return (self.store.folder if self.is_local else self.store.local.folder) / _INCOMING

    @contextmanager
    def scratch(self, name: str) -> Iterator[Path]:
        """Make a folder for one import; nothing of it is left behind.

        Raises:
            NoRoomError: if the disk took no more in the block.
        """
        folder = self.incoming / f"{name}-{secrets.token_hex(4)}"
        try:
            folder.mkdir(mode=0o700, parents=True)
            yield folder
        except (OSError, duckdb.Error) as error:
            if _is_no_room(error):
                raise NoRoomError from error
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, written: Path, path: str) -> None:
        """Give the finished file *written* its name in the warehouse, durably."""
        if not self.is_local:
            filesystem, root = fs.FileSystem.from_uri(self.store.uri)
            filesystem.create_dir(f"{root}/{path}".rpartition("/")[0], recursive=True)
            fs.copy_files(str(written), f"{root}/{path}", fs.LocalFileSystem(), filesystem)
            return
        target = self.store.folder / path
        new = [folder for folder in (target.parent, *target.parent.parents) if not folder.exists()]
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(written)
        written.rename(target)
        # The name of a new folder stands in the folder above.
        for folder in {target.parent, *(one.parent for one in new)}:
            _sync(folder)

    def fetch(self, path: str, scratch: Path) -> Path:
        """Return a file of the warehouse as one of this machine."""
        if self.is_local:
            return self.store.folder / path
        filesystem, root = fs.FileSystem.from_uri(self.store.uri)
        copied = scratch / secrets.token_hex(8)
        fs.copy_files(f"{root}/{path}", str(copied), filesystem, fs.LocalFileSystem())
        return copied

    def sizes(self) -> dict[str, tuple[int, float]]:
        """Return every file of the warehouse with its size and the second of its last change."""
        filesystem, root = self._filesystem()
        if filesystem.get_file_info(root).type is not fs.FileType.Directory:
            return {}
        found = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
        files = {info.path.removeprefix(root).lstrip("/"): info for info in found if info.is_file}
        return {
            path: (info.size, info.mtime.timestamp() if info.mtime is not None else 0.0)
            for path, info in files.items()
            if path.endswith(".parquet") and not path.startswith(f"{_INCOMING}/")
        }

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of a file; None if it is not there."""
        filesystem, root = self._filesystem()
        try:
            with filesystem.open_input_stream(f"{root}/{path}") as stream:
                found = hashlib.sha256()
                while chunk := stream.read(_CHUNK_BYTES):
                    found.update(chunk)
                return found.hexdigest()
        except FileNotFoundError:
            return None

    def delete(self, path: str) -> None:
        """Remove a file that no line of the manifest names; it may be gone already."""
        filesystem, root = self._filesystem()
        if filesystem.get_file_info(f"{root}/{path}").is_file:
            filesystem.delete_file(f"{root}/{path}")

    def _filesystem(self) -> tuple[fs.FileSystem, str]:
        if self.is_local:
            return fs.LocalFileSystem(), str(self.store.folder)
        filesystem, root = fs.FileSystem.from_uri(self.store.uri)
        return filesystem, root.rstrip("/")


def digest_of(file: Path) -> str:
    """Return the SHA-256 of a file of this machine."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_no_room(error: Exception) -> bool:
    return isinstance(error, duckdb.OutOfMemoryException) or any(words in str(error) for words in _NO_ROOM)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
