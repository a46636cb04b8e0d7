import datetime as dt
import hashlib
import io
import os
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.files.models import BatchState, ImportKind, Upload
from supervise.files.refusals import DamagedFileError, EmptyFileError, UploadTooLargeError
from supervise.files.staging import move_batch, open_batch
from supervise.files.uploads import (
    PurgedError,
    plain_file,
    purge_uploads,
    record_upload,
    shown_file_name,
    store_file,
    sweep_files,
    uploads_folder,
    uploads_with_hash,
)

SECRET = "主叫 13800138000 推销".encode() * 20_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return uploads_folder(tmp_path)


def upload_of(session: Session, folder: Path, keyring: Keyring, content: bytes = SECRET) -> Upload:
    stored = store_file(io.BytesIO(content), folder, keyring)
    return record_upload(session, stored, "十一月.csv", actor_id=1)


def make_old(folder: Path, name: str) -> None:
    os.utime(folder / name, (0, 0))


def test_an_upload_is_stored_encrypted_for_the_owner_alone_and_reads_back_the_same(
    session: Session, folder: Path, keyring: Keyring
) -> None:
    upload = upload_of(session, folder, keyring)

    assert upload.stored_as is not None
    stored = folder / upload.stored_as
    assert stored.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert b"138001" not in stored.read_bytes()
    assert (upload.sha256, upload.size_bytes) == (hashlib.sha256(SECRET).hexdigest(), len(SECRET))
    with plain_file(upload, folder, keyring) as plain:
        assert plain.read() == SECRET
        assert [path.name for path in folder.iterdir()] == [upload.stored_as]


def test_the_same_bytes_are_found_again_by_their_hash(session: Session, folder: Path, keyring: Keyring) -> None:
    first = upload_of(session, folder, keyring)
    second = upload_of(session, folder, keyring)
    upload_of(session, folder, keyring, b"other")

    assert uploads_with_hash(session, first.sha256) == [first, second]
    assert first.stored_as != second.stored_as


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(folder: Path, keyring: Keyring) -> None:
    with pytest.raises(UploadTooLargeError):
        store_file(io.BytesIO(bytes(2_000_001)), folder, keyring, bytes_max=2_000_000)

    assert list(folder.iterdir()) == []
    assert store_file(io.BytesIO(bytes(2_000_000)), folder, keyring, bytes_max=2_000_000).size_bytes == 2_000_000


def test_an_empty_file_is_refused_and_leaves_nothing(folder: Path, keyring: Keyring) -> None:
    with pytest.raises(EmptyFileError):
        store_file(io.BytesIO(b""), folder, keyring)

    assert list(folder.iterdir()) == []


def test_a_stream_that_breaks_off_leaves_nothing(folder: Path, keyring: Keyring) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 100_000:
                raise ConnectionResetError
            return super().read(size)

    with pytest.raises(ConnectionResetError):
        store_file(Broken(SECRET), folder, keyring)

    assert list(folder.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(folder: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(OSError, match="No space left"):
        store_file(io.BytesIO(SECRET), folder, keyring)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("deed", ["changed", "cut", "lengthened", "removed", "exchanged"])
def test_a_stored_file_that_was_tampered_with_is_refused(
    session: Session, folder: Path, keyring: Keyring, deed: str
) -> None:
    upload = upload_of(session, folder, keyring)
    other = upload_of(session, folder, keyring)
    assert upload.stored_as is not None
    assert other.stored_as is not None
    stored = folder / upload.stored_as
    content = bytearray(stored.read_bytes())
    if deed == "changed":
        content[-100] ^= 1
    elif deed == "cut":
        del content[-(len(content) % (64 * 1024 + 16) or 1) :]
    elif deed == "lengthened":
        content += b"x"
    elif deed == "exchanged":
        content = bytearray((folder / other.stored_as).read_bytes())
    stored.write_bytes(content)
    if deed == "removed":
        stored.unlink()

    with pytest.raises(DamagedFileError), plain_file(upload, folder, keyring):
        pass


def test_a_purge_forgets_old_files_and_keeps_row_and_hash(session: Session, folder: Path, keyring: Keyring) -> None:
    old, young = upload_of(session, folder, keyring), upload_of(session, folder, keyring)
    name = old.stored_as
    assert name is not None
    old.uploaded_at = clock.now() - dt.timedelta(days=200)
    session.flush()

    purged = purge_uploads(session, clock.now() - dt.timedelta(days=180))
    session.expire_all()
    make_old(folder, name)
    swept = sweep_files(session, folder)

    assert (purged, swept) == (1, 1)
    assert old.purged_at is not None
    assert old.sha256 == hashlib.sha256(SECRET).hexdigest()
    assert [path.name for path in folder.iterdir()] == [young.stored_as]
    with pytest.raises(PurgedError), plain_file(old, folder, keyring):
        pass


def test_the_file_of_an_open_import_is_not_purged(session: Session, folder: Path, keyring: Keyring) -> None:
    upload = upload_of(session, folder, keyring)
    batch = open_batch(session, kind=ImportKind.NUMBERS, upload_id=upload.id, actor_id=1)

    assert purge_uploads(session, clock.now() + dt.timedelta(days=1)) == 0

    move_batch(session, batch.id, BatchState.DISCARDED)
    assert purge_uploads(session, clock.now() + dt.timedelta(days=1)) == 1


def test_the_sweep_removes_what_a_crash_left_and_nothing_that_is_still_coming_in(
    session: Session, folder: Path, keyring: Keyring
) -> None:
    upload = upload_of(session, folder, keyring)
    assert upload.stored_as is not None
    make_old(folder, upload.stored_as)
    (folder / "abandoned.part").write_bytes(b"x")
    make_old(folder, "abandoned.part")
    store_file(io.BytesIO(b"no row yet"), folder, keyring)

    assert sweep_files(session, folder) == 1

    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("C:\\用户\\投诉.xlsx", "投诉.xlsx"),
        ("../../etc/passwd", "passwd"),
        ("a\x00b\u202ecsv.exe", "abcsv.exe"),
        ("", "upload"),
        ("长" * 300 + ".csv", "长" * 196 + ".csv"),
    ],
)
def test_a_file_name_is_for_people_only(given: str, shown: str) -> None:
    assert shown_file_name(given) == shown
