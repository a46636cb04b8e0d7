"""The vault of attachments: evidence kept encrypted under a random name, its hash for good (domain F12).

It knows no subject: whoever attaches something keeps a link table of its own (attachment, owner) and writes the audit
event of what is done here. The order of the two
stores is that of uploads: file before row when something comes in, row before file when it goes.

    media_type = sniff(stream, name)                          # refuses in words
    stored = store_attachment(stream, vault_folder(instance), keyring)      # outside any transaction
    attachment = record_attachment(session, stored, name, media_type, source="...", actor_id=...)
"""

import datetime as dt
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.errors import ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.files.media import sniff
from supervise.files.models import Attachment, AttachmentHold, MediaType
from supervise.files.refusals import UploadTooLargeError
from supervise.files.uploads import StoredFile, opened_file, shown_file_name, store_file, sweep_files
from supervise.labels import N_

__all__ = [
    "NewFile",
    "StoredFile",
    "attachments",
    "hold_attachment",
    "open_holds",
    "opened_attachment",
    "purge_attachments",
    "record_attachment",
    "release_hold",
    "sniff",
    "store_attachment",
    "sweep_vault",
    "vault_folder",
]

#: A recording of half an hour as WAV, or a long letter scanned in colour.
ATTACHMENT_BYTES_MAX = 50 * 1024 * 1024
_CONTEXT = "attachment.stored_as"


class NewFile(NamedTuple):
    """A file that lies in the vault's folder and has no row yet."""

    stored: StoredFile
    name: str
    media_type: MediaType


class AttachmentTooLargeError(UploadTooLargeError):
    """More bytes than a piece of evidence may have."""

    message = N_("The file is larger than %(limit)d MB")


class AlreadyHeldError(ConflictError):
    """One open hold forbids the purge as well as two."""

    message = N_("This attachment is already on hold")


def vault_folder(instance: Path) -> Path:
    """Return where attachments lie below *instance*; only the application may look inside."""
    folder = instance / "vault"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def store_attachment(
    stream: BinaryIO, folder: Path, keyring: Keyring, *, bytes_max: int = ATTACHMENT_BYTES_MAX
) -> StoredFile:
    """Encrypt *stream*, which ``sniff`` accepted, into *folder*; outside any database transaction.

    Raises:
        AttachmentTooLargeError: past *bytes_max*; nothing is left behind.
        EmptyFileError: for no bytes at all.
    """
    try:
        return store_file(stream, folder, keyring, bytes_max=bytes_max, context=_CONTEXT)
    except UploadTooLargeError as error:
        raise AttachmentTooLargeError(limit=bytes_max >> 20) from error


def record_attachment(
    session: Session, stored: StoredFile, file_name: str, media_type: MediaType, *, source: str, actor_id: int
) -> Attachment:
    """Name *stored* by a row; the caller links it to its owner.

    Raises:
        InvalidInputError: if *source* does not say where it comes from.
    """
    if not source.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Say where the file comes from"))
    attachment = Attachment(
        file_name=shown_file_name(file_name),
        media_type=media_type,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
        stored_as=stored.stored_as,
        source=source.strip(),
        added_by=actor_id,
        added_at=clock.now(),
    )
    session.add(attachment)
    session.flush()
    return attachment


def opened_attachment(attachment: Attachment, folder: Path, keyring: Keyring) -> AbstractContextManager[BinaryIO]:
    """Give the plain bytes of *attachment* as a file without a name, checked against its hash; gone with the block.

    Raises:
        PurgedError: if it was purged; its hash is still known.
        DamagedFileError: if the file is missing, was changed, or its bytes have another hash.
    """
    return opened_file(attachment.stored_as, attachment.sha256, folder, keyring, context=_CONTEXT)


def attachments(session: Session, ids: Collection[int]) -> dict[int, Attachment]:
    """Return the attachments with these *ids*, by id."""
    rows = session.scalars(sa.select(Attachment).where(Attachment.id.in_(ids)))
    return {row.id: row for row in rows}


def open_holds(session: Session, ids: Collection[int]) -> dict[int, AttachmentHold]:
    """Return the open hold of each of these attachments that has one, by the attachment's id."""
    query = sa.select(AttachmentHold).where(AttachmentHold.attachment_id.in_(ids), AttachmentHold.released_at.is_(None))
    return {hold.attachment_id: hold for hold in session.scalars(query)}


def hold_attachment(session: Session, attachment_id: int, reason: str, *, actor_id: int) -> AttachmentHold:
    """Forbid the purge of an attachment until another person releases it.

    Raises:
        AlreadyHeldError: if it is on hold.
        ConflictError: if it was purged before: nothing is left to hold.
        InvalidInputError: without a reason.
    """
    attachment = session.get(Attachment, attachment_id, with_for_update=True, populate_existing=True)
    if attachment is None:
        raise NotFoundError
    if not reason.strip():  # also a CHECK of the table
        raise InvalidInputError(N_("Give a reason"))
    if attachment.stored_as is None:
        raise ConflictError(N_("This attachment was purged: only its SHA-256 is left"))
    if open_holds(session, [attachment_id]):  # also a unique key
        raise AlreadyHeldError
    hold = AttachmentHold(attachment_id=attachment_id, reason=reason.strip(), placed_by=actor_id, placed_at=clock.now())
    session.add(hold)
    session.flush()
    return hold


def release_hold(session: Session, attachment_id: int, reason: str, *, actor_id: int) -> None:
    """End the open hold of an attachment.

    Raises:
        ConflictError: if there is none.
        SamePersonError: if *actor_id* placed it.
        InvalidInputError: without a reason.
    """
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    query = sa.select(AttachmentHold).where(
        AttachmentHold.attachment_id == attachment_id, AttachmentHold.released_at.is_(None)
    )
    hold = session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()
    if hold is None:
        raise ConflictError
    if hold.placed_by == actor_id:  # also a CHECK of the table
        raise SamePersonError
    hold.released_by, hold.released_at, hold.release_reason = actor_id, clock.now(), reason.strip()
    session.flush()


def purge_attachments(session: Session, before: dt.datetime, *, kept: sa.SelectBase | None = None) -> list[int]:
    """Give up the files of attachments older than *before* that nobody holds, and return their ids.

    *kept* selects the ids of others that stay: what subjects above still need.
    ``sweep_vault`` then deletes the files; row and hash stay as a tombstone. A trigger refuses what is on hold.
    """
    held = sa.select(AttachmentHold.id).where(
        AttachmentHold.attachment_id == Attachment.id, AttachmentHold.released_at.is_(None)
    )
    purged = session.scalars(
        sa.update(Attachment)
        .where(
            Attachment.added_at < before,
            Attachment.stored_as.is_not(None),
            ~held.exists(),
            sa.true() if kept is None else Attachment.id.not_in(kept),
        )
        .values(stored_as=None, purged_at=clock.now())
        .returning(Attachment.id)
        .execution_options(synchronize_session=False)
    )
    return sorted(purged)


def sweep_vault(session: Session, folder: Path) -> int:
    """Delete the files of the vault that no row names, and return how many. Call it after the purge's commit."""
    return sweep_files(session, folder, Attachment)
