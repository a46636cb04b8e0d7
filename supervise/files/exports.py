"""Files that were made for one person to fetch: encrypted below ``instance/exports``, gone after a day.

They hold subscribers' full numbers, so that nothing here lies open longer than it takes to encrypt it.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from supervise import clock
from supervise.cipher import Keyring
from supervise.errors import NotFoundError
from supervise.labels import N_

_CONTEXT = "export.file"
_CHUNK_BYTES = 64 * 1024
#: Who asked for a large file fetches it the same day; it can be made again.
_KEPT_SECONDS = 24 * 3600


class ExportGoneError(NotFoundError):
    """The file was never made, or its day is over."""

    status = 410
    message = N_("This file is not there any more; have it made again")


class PlainExport(NamedTuple):
    """A decrypted export: its bytes as an open file without a name, and their SHA-256."""

    file: BinaryIO
    sha256: str


def exports_folder(instance: Path) -> Path:
    """Return where exports lie below *instance*; only the application may look inside."""
    folder = instance / "exports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Give a folder of one's own (0700) in which a file is written; it is gone with the block."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        yield Path(name)


def keep_export(folder: Path, name: str, keyring: Keyring, write: Callable[[Path], object]) -> None:
    """Keep, encrypted and under *name*, the file that *write* writes to the path it is given; an older one is replaced.

    *name* is ours, never a user's: it becomes a file name.
    """
    with workspace(folder) as own:
        plain, part = own / "plain", own / "part"
        write(plain)
        with plain.open("rb") as source, os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as target:
            target.writelines(keyring.encrypt_stream(_chunks(source), _CONTEXT, name))
            target.flush()
            os.fsync(target.fileno())
        part.replace(folder / name)


def _chunks(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK_BYTES):
        yield chunk


def is_kept(folder: Path, name: str) -> bool:
    """Say whether the export can be fetched."""
    return (folder / name).is_file()


@contextmanager
def plain_export(folder: Path, name: str, keyring: Keyring) -> Iterator[PlainExport]:
    """Decrypt an export into a file without a name; it is gone with the block.

    Raises:
        ExportGoneError: if it is not there, or was changed.
    """
    digest = hashlib.sha256()
    with tempfile.TemporaryFile(dir=folder) as plain:
        try:
            with (folder / name).open("rb") as source:
                for chunk in keyring.decrypt_stream(source, _CONTEXT, name):
                    digest.update(chunk)
                    plain.write(chunk)
        except (FileNotFoundError, ValueError) as error:
            raise ExportGoneError from error
        plain.seek(0)
        yield PlainExport(plain, digest.hexdigest())


def sweep_exports(folder: Path) -> int:
    """Delete what is older than a day, half-written work of a killed process included; return how many."""
    old = clock.now().timestamp() - _KEPT_SECONDS
    swept = [path for path in folder.iterdir() if path.stat().st_mtime < old]
    for path in swept:
        for inner in path.iterdir() if path.is_dir() else ():
            inner.unlink(missing_ok=True)
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    return len(swept)
