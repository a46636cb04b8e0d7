"""Exports lie encrypted, for their own name only, and go after a day."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from supervise.cipher import Keyring
from supervise.files.exports import (
    ExportGoneError,
    exports_folder,
    is_kept,
    keep_export,
    plain_export,
    sweep_exports,
    workspace,
)

CONTENT = "手机号 13800138000".encode() * 10_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return exports_folder(tmp_path)


def test_an_export_comes_back_as_it_was_and_lies_encrypted(folder: Path, keyring: Keyring) -> None:
    keep_export(folder, "batch-1-3", keyring, lambda path: path.write_bytes(CONTENT))

    with plain_export(folder, "batch-1-3", keyring) as made:
        assert made.file.read() == CONTENT
        assert made.sha256 == hashlib.sha256(CONTENT).hexdigest()
    [stored] = folder.iterdir()
    assert b"13800138000" not in stored.read_bytes()
    assert (stored.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_later_one_takes_its_place(folder: Path, keyring: Keyring) -> None:
    for content in (CONTENT, b"newer"):
        keep_export(folder, "batch-1-3", keyring, lambda path, content=content: path.write_bytes(content))  # type: ignore[misc]

    with plain_export(folder, "batch-1-3", keyring) as made:
        assert made.file.read() == b"newer"


def test_what_was_never_made_moved_or_changed_is_gone(folder: Path, keyring: Keyring) -> None:
    keep_export(folder, "batch-1-3", keyring, lambda path: path.write_bytes(CONTENT))
    (folder / "batch-1-4").write_bytes((folder / "batch-1-3").read_bytes())
    damaged = bytearray((folder / "batch-1-3").read_bytes())
    damaged[-1] ^= 1
    (folder / "batch-1-3").write_bytes(damaged)

    for name in ("batch-9-9", "batch-1-4", "batch-1-3"):
        with pytest.raises(ExportGoneError), plain_export(folder, name, keyring):
            pass
    assert not is_kept(folder, "batch-9-9")


def test_a_failure_half_way_leaves_nothing(folder: Path, keyring: Keyring) -> None:
    def broken(path: Path) -> None:
        path.write_bytes(CONTENT)
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        keep_export(folder, "batch-1-3", keyring, broken)

    assert list(folder.iterdir()) == []


def test_the_sweep_takes_what_is_older_than_a_day_and_what_a_killed_process_left(
    folder: Path, keyring: Keyring
) -> None:
    for name in ("old", "young"):
        keep_export(folder, name, keyring, lambda path: path.write_bytes(CONTENT))
    with workspace(folder) as own:
        left = folder / "left-behind"
        own.rename(left)
        (left / "plain").write_bytes(CONTENT)
        own.mkdir()
    before = time.time() - 25 * 3600
    for path in (folder / "old", left):
        os.utime(path, (before, before))

    assert sweep_exports(folder) == 2
    assert [path.name for path in folder.iterdir()] == ["young"]
