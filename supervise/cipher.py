"""Encryption of subscriber numbers and texts, and the blind index by which equal numbers are found.

AES-256-GCM under a data key that can be rotated; HMAC-SHA256 under an index key that never is.
Keys come from configuration and are never stored in the database.
"""

import base64
import functools
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_KEY_BYTES = 32
_OWNER_ONLY = 0o600
_SALT_BYTES = 16
_TAG_BYTES = 16
#: A file is encrypted in frames of so many plain bytes; only the last may be shorter.
_FRAME_BYTES = 64 * 1024
_KEY_ID_BYTES_MAX = 40
_INDEX_DIGITS = 32


class KeyFileError(Exception):
    """The key file is missing, readable by others or damaged; the message says which."""


@dataclass(frozen=True)
class Keyring:
    """Data keys by id (the newest encrypts), the index key and the ledger's seal key."""

    data_keys: dict[str, bytes]
    current: str
    index_key: bytes
    seal_key: bytes

    def encrypt(self, text: str, context: str, binding: str = "") -> bytes:
        """Return ``key id | nonce | ciphertext`` of *text*.

        *context* is ``table.column``; *binding* ties the value to its row (the blind index), so that
        a ciphertext moved to another row or column does not decrypt.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = _cipher(self.data_keys[self.current]).encrypt(
            nonce, text.encode(), _aad(context, self.current, binding)
        )
        return self.current.encode() + b"|" + nonce + sealed

    def decrypt(self, value: bytes, context: str, binding: str = "") -> str:
        """Return the text that ``encrypt`` was given.

        Raises:
            ValueError: if the value was changed, moved or made with an unknown key.
        """
        key_id, _, rest = value.partition(b"|")
        key = self.data_keys.get(key_id.decode())
        if key is None:
            raise ValueError(f"no data key {key_id!r}")
        try:
            plain = _cipher(key).decrypt(
                rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _aad(context, key_id.decode(), binding)
            )
        except InvalidTag as error:
            raise ValueError(f"a value of {context} was changed or moved") from error
        return plain.decode()

    def encrypt_stream(self, chunks: Iterable[bytes], context: str, binding: str = "") -> Iterator[bytes]:
        """Yield ``key id | salt | frames`` of a file that comes in *chunks*, in constant memory.

        Each file has its own key, derived from the data key and a random salt; a frame's nonce is its number
        and whether it is the last, so that frames cannot be swapped, dropped or cut off unseen.
        """
        salt = os.urandom(_SALT_BYTES)
        cipher = self._file_cipher(self.current, salt, context, binding)
        yield self.current.encode() + b"|" + salt
        plain = bytearray()
        numbers = count()
        for chunk in chunks:
            plain += chunk
            while len(plain) > _FRAME_BYTES:
                yield cipher.encrypt(_frame_nonce(next(numbers), last=False), bytes(plain[:_FRAME_BYTES]), None)
                del plain[:_FRAME_BYTES]
        yield cipher.encrypt(_frame_nonce(next(numbers), last=True), bytes(plain), None)

    def decrypt_stream(self, source: BinaryIO, context: str, binding: str = "") -> Iterator[bytes]:
        """Yield the plain bytes of a file that ``encrypt_stream`` wrote.

        Raises:
            ValueError: if the file was changed, cut, moved or made with an unknown key; what was yielded
                before must then not be used.
        """
        key_id = _key_id(source)
        cipher = self._file_cipher(key_id, source.read(_SALT_BYTES), context, binding)
        frame = source.read(_FRAME_BYTES + _TAG_BYTES)
        for number in count():
            following = source.read(_FRAME_BYTES + _TAG_BYTES)
            try:
                yield cipher.decrypt(_frame_nonce(number, last=not following), frame, None)
            except InvalidTag as error:
                raise ValueError(f"a file of {context} was changed, cut or moved") from error
            if not following:
                return
            frame = following

    def _file_cipher(self, key_id: str, salt: bytes, context: str, binding: str) -> AESGCM:
        key = self.data_keys.get(key_id)
        if key is None:
            raise ValueError(f"no data key {key_id!r}")
        derived = HKDF(SHA256(), _KEY_BYTES, salt, b"file|" + _aad(context, key_id, binding)).derive(key)
        return AESGCM(derived)

    def blind_index(self, number: str) -> str:
        """Return 32 hex digits by which equal normalised numbers are found, and nothing else is learnt."""
        return hmac.new(self.index_key, number.encode(), hashlib.sha256).hexdigest()[:_INDEX_DIGITS]


@functools.lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESGCM:
    # A file has thousands of values and one key: its schedule is set up once.
    return AESGCM(key)


def _key_id(source: BinaryIO) -> str:
    found = b""
    while (letter := source.read(1)) not in {b"|", b""} and len(found) < _KEY_ID_BYTES_MAX:
        found += letter
    return found.decode("ascii", "replace")


def _frame_nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_NONCE_BYTES - 1, "big") + bytes([last])


def _aad(context: str, key_id: str, binding: str) -> bytes:
    return f"{context}|{key_id}|{binding}".encode()


def make_key_file(path: Path) -> None:
    """Write fresh random keys to *path*, readable by the owner alone; an existing file is never replaced."""
    keys = {
        "current": "k1",
        "data_keys": {"k1": _fresh()},
        "index_key": _fresh(),
        "seal_key": _fresh(),
    }
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(keys, file, indent=1)


def read_key_file(path: Path) -> Keyring:
    """Return the keys of *path*.

    Raises:
        KeyFileError: if the file is missing, open to others, or not what ``make_key_file`` writes.
    """
    if not path.is_file():
        raise KeyFileError(f"the key file {path} does not exist")
    if path.stat().st_mode & 0o077:
        raise KeyFileError(f"the key file {path} can be read by others: chmod 600 {path}")
    try:
        raw = json.loads(path.read_text(encoding="ascii"))
        ring = Keyring(
            data_keys={name: _decode(value) for name, value in raw["data_keys"].items()},
            current=raw["current"],
            index_key=_decode(raw["index_key"]),
            seal_key=_decode(raw["seal_key"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyFileError(f"the key file {path} is damaged: {error}") from error
    if ring.current not in ring.data_keys:
        raise KeyFileError(f"the key file {path} names no current data key")
    return ring


def _fresh() -> str:
    return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def _decode(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != _KEY_BYTES:
        raise ValueError("a key is not 32 bytes long")
    return key
