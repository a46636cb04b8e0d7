import datetime as dt
import hashlib
import io
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.errors import ConflictError, InvalidInputError, SamePersonError
from supervise.files.models import Attachment, MediaType
from supervise.files.refusals import DamagedFileError
from supervise.files.uploads import PurgedError
from supervise.files.vault import (
    AlreadyHeldError,
    AttachmentTooLargeError,
    hold_attachment,
    open_holds,
    opened_attachment,
    purge_attachments,
    record_attachment,
    release_hold,
    store_attachment,
    sweep_vault,
    vault_folder,
)

LETTER = "营业厅答复：13800138000 应该是第三方代理。".encode()
LATER = dt.timedelta(days=1)
CLERK, COLLEAGUE = 1, 2


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return vault_folder(tmp_path)


def keep(session: Session, folder: Path, keyring: Keyring, source: str = "营业厅来函") -> Attachment:
    stored = store_attachment(io.BytesIO(LETTER), folder, keyring)
    return record_attachment(
        session, stored, "/home/li/答复 13800138000.txt", MediaType.TEXT, source=source, actor_id=CLERK
    )


def test_an_attachment_lies_encrypted_under_a_random_name_and_reads_back_the_same(
    session: Session, folder: Path, keyring: Keyring
) -> None:
    kept = keep(session, folder, keyring)

    assert kept.stored_as is not None
    assert "13800138" not in kept.stored_as
    assert b"138001" not in (folder / kept.stored_as).read_bytes()
    assert (folder / kept.stored_as).stat().st_mode & 0o777 == 0o600
    assert kept.sha256 == hashlib.sha256(LETTER).hexdigest()
    assert "13800138000" not in kept.file_name
    with opened_attachment(kept, folder, keyring) as plain:
        assert plain.read() == LETTER


def test_an_attachment_of_no_source_is_refused(session: Session, folder: Path, keyring: Keyring) -> None:
    with pytest.raises(InvalidInputError):
        keep(session, folder, keyring, source="  ")


def test_an_attachment_over_the_limit_is_refused_and_leaves_nothing(folder: Path, keyring: Keyring) -> None:
    with pytest.raises(AttachmentTooLargeError, match="2 MB"):
        store_attachment(io.BytesIO(bytes((2 << 20) + 1)), folder, keyring, bytes_max=2 << 20)

    assert list(folder.iterdir()) == []


def test_a_changed_attachment_is_refused(session: Session, folder: Path, keyring: Keyring) -> None:
    kept = keep(session, folder, keyring)
    stored = folder / str(kept.stored_as)
    content = bytearray(stored.read_bytes())
    content[-5] ^= 1
    stored.write_bytes(content)

    with pytest.raises(DamagedFileError), opened_attachment(kept, folder, keyring):
        pass


def test_a_purge_leaves_a_tombstone_with_the_hash_and_the_sweep_takes_the_file(
    session: Session, folder: Path, keyring: Keyring
) -> None:
    kept = keep(session, folder, keyring)
    stored = folder / str(kept.stored_as)
    os.utime(stored, (0, 0))

    assert purge_attachments(session, clock.now() - LATER) == []
    assert sweep_vault(session, folder) == 0
    assert purge_attachments(session, clock.now() + LATER) == [kept.id]
    assert sweep_vault(session, folder) == 1

    session.refresh(kept)
    assert (kept.stored_as, kept.sha256) == (None, hashlib.sha256(LETTER).hexdigest())
    assert not stored.exists()
    with pytest.raises(PurgedError), opened_attachment(kept, folder, keyring):
        pass


def test_a_hold_blocks_the_purge_until_another_person_releases_it(
    session: Session, folder: Path, keyring: Keyring
) -> None:
    kept = keep(session, folder, keyring)
    hold_attachment(session, kept.id, "法院调取", actor_id=CLERK)

    assert purge_attachments(session, clock.now() + LATER) == []
    with pytest.raises(AlreadyHeldError):
        hold_attachment(session, kept.id, "法院调取", actor_id=COLLEAGUE)
    with pytest.raises(SamePersonError):
        release_hold(session, kept.id, "结案", actor_id=CLERK)
    release_hold(session, kept.id, "结案", actor_id=COLLEAGUE)

    assert open_holds(session, [kept.id]) == {}
    assert purge_attachments(session, clock.now() + LATER) == [kept.id]
    with pytest.raises(ConflictError):
        hold_attachment(session, kept.id, "再次调取", actor_id=CLERK)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attachment SET sha256 = 'other'",
        "UPDATE attachment SET stored_as = 'other'",
        "UPDATE attachment SET stored_as = NULL, purged_at = added_at",
        "DELETE FROM attachment",
        "UPDATE attachment_hold SET reason = 'other'",
        "DELETE FROM attachment_hold",
    ],
)
def test_the_database_refuses_to_rewrite_delete_or_purge_what_is_on_hold(
    session: Session, folder: Path, keyring: Keyring, statement: str
) -> None:
    kept = keep(session, folder, keyring)
    hold_attachment(session, kept.id, "法院调取", actor_id=CLERK)

    with pytest.raises(IntegrityError):
        session.execute(sa.text(statement))
    session.rollback()
