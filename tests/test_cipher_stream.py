"""Files are encrypted in frames: any change of them, and any cut between them, is found."""

import io
from collections.abc import Iterator

import pytest

from supervise.cipher import Keyring

FRAME = 64 * 1024


def encrypted(keyring: Keyring, plain: bytes, *, chunk: int = 10_000, binding: str = "a") -> bytes:
    chunks: Iterator[bytes] = (plain[start : start + chunk] for start in range(0, len(plain), chunk))
    return b"".join(keyring.encrypt_stream(chunks, "upload.stored_as", binding))


def decrypted(keyring: Keyring, content: bytes, *, context: str = "upload.stored_as", binding: str = "a") -> bytes:
    return b"".join(keyring.decrypt_stream(io.BytesIO(content), context, binding))


@pytest.mark.parametrize("size", [0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 7])
@pytest.mark.parametrize("chunk", [999, FRAME, 10 * FRAME])
def test_a_file_of_any_length_reads_back_the_same(keyring: Keyring, size: int, chunk: int) -> None:
    plain = bytes(number % 251 for number in range(size))

    content = encrypted(keyring, plain, chunk=chunk)

    assert decrypted(keyring, content) == plain


def test_the_same_file_twice_has_different_bytes(keyring: Keyring) -> None:
    assert encrypted(keyring, b"x" * 100)[10:] != encrypted(keyring, b"x" * 100)[10:]


def test_a_file_that_was_changed_cut_reordered_or_moved_does_not_decrypt(keyring: Keyring) -> None:
    content = encrypted(keyring, bytes(3 * FRAME + 7))
    start = len(b"t1|") + 16
    frame = FRAME + 16
    first, second = content[start : start + frame], content[start + frame : start + 2 * frame]
    spoiled = [
        content[:-1],
        content[: start + 3 * frame],
        content[: start + frame],
        content[:start],
        content[:10],
        b"",
        content + b"x",
        content[:start] + second + first + content[start + 2 * frame :],
        content[:start] + first + first + content[start + 2 * frame :],
        b"t2" + content[2:],
        b"x" * 100_000,
    ]
    spoiled += [
        content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :] for place in (4, start, len(content) - 1)
    ]

    for wrong in spoiled:
        with pytest.raises(ValueError, match=r"changed, cut or moved|no data key"):
            decrypted(keyring, wrong)
    with pytest.raises(ValueError, match="changed"):
        decrypted(keyring, content, binding="b")
    with pytest.raises(ValueError, match="changed"):
        decrypted(keyring, content, context="other.column")


def test_an_old_file_is_read_after_the_key_was_rotated(keyring: Keyring) -> None:
    content = encrypted(keyring, b"old")
    rotated = Keyring({**keyring.data_keys, "t2": b"\x09" * 32}, "t2", keyring.index_key, keyring.seal_key)

    assert decrypted(rotated, content) == b"old"
    assert encrypted(rotated, b"new").startswith(b"t2|")
