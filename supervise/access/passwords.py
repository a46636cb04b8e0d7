"""Passwords: how they are hashed, and what a good one is.

Hashing takes tens of milliseconds and is therefore done outside every database transaction; decisions take the hash.
"""

import functools
import secrets
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import Flask, current_app

from supervise.errors import InvalidInputError
from supervise.labels import N_

LENGTH_MIN = 12
#: Above it a password is only a way to make the server work.
LENGTH_MAX = 128
_DISTINCT_MIN = 5
#: Without letters and digits that are mistaken for each other when read from paper.
_INITIAL_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class WeakPasswordError(InvalidInputError):
    """The new password is too easy to guess; the message says why."""

    message = N_("This password is too easy to guess")


class Passwords:
    """Hashes and verifies with argon2id at a configured cost."""

    def __init__(self, *, rounds: int, memory_kib: int) -> None:
        self._hasher = PasswordHasher(time_cost=rounds, memory_cost=memory_kib, parallelism=1)

    def hash(self, password: str) -> str:
        """Return the salted hash with its parameters."""
        return self._hasher.hash(_folded(password))

    def matches(self, password_hash: str | None, password: str) -> bool:
        """Say whether *password* fits; without a hash (no such user) it takes the same time and says no."""
        try:
            self._hasher.verify(password_hash or self._nobody, _folded(password))
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Say whether the hash was made at another cost than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    @functools.cached_property
    def _nobody(self) -> str:
        return self._hasher.hash(secrets.token_hex())


def _folded(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def init_app(app: Flask, passwords: Passwords) -> None:
    """Give *app* its hasher."""
    app.extensions["supervise.passwords"] = passwords


def current() -> Passwords:
    """Return the hasher of the running app or command."""
    passwords: Passwords = current_app.extensions["supervise.passwords"]
    return passwords


def check_strength(password: str, username: str) -> None:
    """Refuse a password that is easy to guess.

    Raises:
        WeakPasswordError: saying what is wrong with it.
    """
    folded = _folded(password).casefold()
    if len(folded) < LENGTH_MIN:
        raise WeakPasswordError(N_("A password has at least %(limit)d characters"), limit=LENGTH_MIN)
    if len(folded) > LENGTH_MAX:
        raise WeakPasswordError(N_("A password has at most %(limit)d characters"), limit=LENGTH_MAX)
    if username.casefold() in folded:
        raise WeakPasswordError(N_("The password must not contain the user name"))
    if len(set(folded)) < _DISTINCT_MIN:
        raise WeakPasswordError(N_("The password repeats too few different characters"))


def initial_password() -> str:
    """Return a random password for a new user, shown once: four groups of four, some 79 bits."""
    groups = ("".join(secrets.choice(_INITIAL_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)
