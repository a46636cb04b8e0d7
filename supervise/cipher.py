"""Encryption of subscriber numbers and texts, and the blind index by which equal numbers are found.

AES-256-GCM under a data key that can be rotated; HMAC-SHA256 under an index key that never is.
Keys come from configuration and are never stored in the database.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12
_KEY_BYTES = 32
_OWNER_ONLY = 0o600


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
        sealed = AESGCM(self.data_keys[self.current]).encrypt(
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
            plain = AESGCM(key).decrypt(
                rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _aad(context, key_id.decode(), binding)
            )
        except InvalidTag as error:
            raise ValueError(f"a value of {context} was changed or moved") from error
        return plain.decode()

    def blind_index(self, number: str) -> str:
        """Return 32 hex digits by which equal normalised numbers are found, and nothing else is learnt."""
        return hmac.new(self.index_key, number.encode(), hashlib.sha256).hexdigest()[:32]


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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
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
