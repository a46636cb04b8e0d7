"""Uploads: kept encrypted under a random name, read once by the reading child, purged by age.

The row and the SHA-256 of the plain bytes stay for good; the file goes. Files and rows are two stores, so
the order is fixed: file before row when something comes in, row before file when it goes. A crash between
leaves a file that no row names, and ``sweep_files`` removes it.
"""

import datetime as dt
import hashlib
import os
import re
import secrets
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.cipher import Keyring
from supervise.config import UPLOAD_BYTES_MAX
from supervise.errors import NotFoundError
from supervise.files.models import Attachment, BatchState, ImportBatch, Upload
from supervise.files.refusals import DamagedFileError, EmptyFileError, UploadTooLargeError
from supervise.labels import N_

_CHUNK_BYTES = 64 * 1024
_CONTEXT = "upload.stored_as"
_PART = ".part"
#: An upload that is still coming in has a file but no row yet; nothing takes longer than this.
_COMING_IN_SECONDS = 3600
_FILE_NAME_CHARS = 200
_OPEN_STATES = (BatchState.UPLOADED, BatchState.READING, BatchState.PREVIEWED, BatchState.COMMITTING)


class PurgedError(NotFoundError):
    """The file was deleted after its time; its hash is still known."""

    status = 410
    message = N_("This file was deleted after the time that files are kept; only its SHA-256 is left")


class StoredFile(NamedTuple):
    """A file in the folder that no row names yet."""

    stored_as: str
    sha256: str
    size_bytes: int


def uploads_folder(instance: Path) -> Path:
    """Return where uploads lie below *instance*; only the application may look inside."""
    folder = instance / "uploads"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def store_file(
    stream: BinaryIO, folder: Path, keyring: Keyring, *, bytes_max: int = UPLOAD_BYTES_MAX, context: str = _CONTEXT
) -> StoredFile:
    """Encrypt *stream* into *folder* under a random name, durably, in constant memory.

    Outside any database transaction: an upload may take minutes. *context* is bound to the bytes: ``opened_file``
    asks for the same.

    Raises:
        UploadTooLargeError: past *bytes_max*; nothing is left behind.
        EmptyFileError: for no bytes at all.
    """
    name = secrets.token_hex(16)
    counted = _Counted(stream, bytes_max)
    part = folder / f"{name}{_PART}"
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for frame in keyring.encrypt_stream(counted.chunks(), context, name):
                file.write(frame)
            file.flush()
            os.fsync(file.fileno())
        part.rename(folder / name)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(folder)
    return StoredFile(name, counted.digest.hexdigest(), counted.size)


class _Counted:
    """Hashes and counts what passes, and stops it at the limit."""

    def __init__(self, stream: BinaryIO, bytes_max: int) -> None:
        self._stream = stream
        self._bytes_max = bytes_max
        self.digest = hashlib.sha256()
        self.size = 0

    def chunks(self) -> Iterator[bytes]:
        while chunk := self._stream.read(_CHUNK_BYTES):
            self.size += len(chunk)
            if self.size > self._bytes_max:
                raise UploadTooLargeError(limit=self._bytes_max >> 20)
            self.digest.update(chunk)
            yield chunk
        if not self.size:
            raise EmptyFileError


def _sync_folder(folder: Path) -> None:
    # Without it the rename itself may be lost with the power (reliability E7).
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def record_upload(session: Session, stored: StoredFile, file_name: str, *, actor_id: int) -> Upload:
    """Name *stored* by a row; *file_name* is what the user's machine called it, for people only."""
    upload = Upload(
        file_name=shown_file_name(file_name),
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        stored_as=stored.stored_as,
        uploaded_by=actor_id,
        uploaded_at=clock.now(),
    )
    session.add(upload)
    session.flush()
    return upload


def shown_file_name(file_name: str) -> str:
    """Return the last part of *file_name*, cut to a sane length, without control characters and full numbers."""
    last = re.split(r"[/\\]", file_name)[-1]
    visible = "".join(letter for letter in last if unicodedata.category(letter) not in {"Cc", "Cf", "Cs"})
    return phone.mask_in_text(visible.strip())[-_FILE_NAME_CHARS:] or "upload"


def uploads_with_hash(session: Session, sha256: str) -> list[Upload]:
    """Return earlier uploads of the same bytes, oldest first: the same file comes twice."""
    return list(session.scalars(sa.select(Upload).where(Upload.sha256 == sha256).order_by(Upload.id)))


@contextmanager
def plain_file(upload: Upload, folder: Path, keyring: Keyring) -> Iterator[BinaryIO]:
    """Decrypt *upload* into a file without a name, for ``read_table``; it is gone with the block.

    Raises:
        PurgedError: if the file's time was over.
        DamagedFileError: if the file is missing, was changed, or its bytes have another SHA-256 than the row.
    """
    with opened_file(upload.stored_as, upload.sha256, folder, keyring) as plain:
        yield plain


@contextmanager
def opened_file(
    stored_as: str | None, sha256: str, folder: Path, keyring: Keyring, *, context: str = _CONTEXT
) -> Iterator[BinaryIO]:
    """Decrypt what ``store_file`` keeps as *stored_as* (NULL: purged) into a file without a name.

    Raises:
        PurgedError: if the file's time was over.
        DamagedFileError: if the file is missing, was changed, or its bytes have another hash than *sha256*.
    """
    if stored_as is None:
        raise PurgedError
    digest = hashlib.sha256()
    with tempfile.TemporaryFile(dir=folder) as plain:
        try:
            with (folder / stored_as).open("rb") as source:
                for chunk in keyring.decrypt_stream(source, context, stored_as):
                    digest.update(chunk)
                    plain.write(chunk)
        except (FileNotFoundError, ValueError) as error:
            raise DamagedFileError from error
        if digest.hexdigest() != sha256:
            raise DamagedFileError
        plain.flush()
        plain.seek(0)
        yield plain


def purge_uploads(session: Session, before: dt.datetime) -> int:
    """Give up the files of uploads older than *before* and return how many; ``sweep_files`` then deletes them.

    An upload whose import is still open is kept.
    """
    waiting = sa.select(ImportBatch.id).where(ImportBatch.upload_id == Upload.id, ImportBatch.state.in_(_OPEN_STATES))
    purged = session.execute(
        sa.update(Upload)
        .where(Upload.uploaded_at < before, Upload.stored_as.is_not(None), ~waiting.exists())
        .values(stored_as=None, purged_at=clock.now())
        .returning(Upload.id)
        .execution_options(synchronize_session=False)
    )
    return len(purged.all())


def sweep_files(session: Session, folder: Path, kept: type[Upload | Attachment] = Upload) -> int:
    """Delete the files in *folder* that no row of *kept* names; return how many. Call it after the purge."""
    old = clock.now().timestamp() - _COMING_IN_SECONDS
    # The folder is listed first: a row that is written after that names a file that is too young to go.
    candidates = [path for path in folder.iterdir() if path.stat().st_mtime < old]
    named = set(session.scalars(sa.select(kept.stored_as).where(kept.stored_as.is_not(None))))
    swept = [path for path in candidates if path.name not in named]
    for path in swept:
        path.unlink(missing_ok=True)
    return len(swept)
