"""Slowing guessing down: failures are counted by account name and by address, before a password is hashed."""

import datetime as dt
import hashlib
import math

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import LoginThrottle
from supervise.errors import RefusalError
from supervise.labels import N_

#: Attempts that cost nothing. Many people share one office's address; a name is one person's.
FREE_BY_NAME = 5
FREE_BY_ADDRESS = 50
_WAIT_FIRST = dt.timedelta(seconds=2)
WAIT_MAX = dt.timedelta(minutes=15)
_DOUBLINGS_MAX = 20
#: A counter that rested so long begins again.
FORGOTTEN_AFTER = dt.timedelta(hours=1)


class TooManyAttemptsError(RefusalError):
    """This name or address has failed too often of late."""

    status = 429
    message = N_("Too many attempts; please wait %(seconds)d seconds and try again")


def name_key(username: str) -> str:
    """Return the counter's key of a folded *username*, which need not exist."""
    return f"name:{hashlib.sha256(username.encode()).hexdigest()}"


def count_attempt(session: Session, username: str, address: str) -> None:
    """Count one attempt to sign in, which is a failure until ``forgive`` says otherwise.

    Raises:
        TooManyAttemptsError: if the name or the address must still wait; then nothing is counted.
    """
    allowances = {f"address:{address}": FREE_BY_ADDRESS, name_key(username): FREE_BY_NAME}
    counters = [_locked(session, key) for key in sorted(allowances)]
    # Read only now: whoever held the rows before us has written an earlier moment into them.
    now = clock.now()
    wait = max(counter.blocked_until for counter in counters) - now
    if wait > dt.timedelta(0):
        raise TooManyAttemptsError(seconds=math.ceil(wait.total_seconds()))
    for counter in counters:
        if now - counter.last_at > FORGOTTEN_AFTER:
            counter.failures = 0
        counter.failures += 1
        counter.last_at = now
        counter.blocked_until = now + wait_after(counter.failures, free=allowances[counter.key])


def wait_after(failures: int, *, free: int) -> dt.timedelta:
    """Return the wait after so many failures: none while they are *free*, then doubling up to ``WAIT_MAX``."""
    if failures < free:
        return dt.timedelta(0)
    doublings = min(failures - free, _DOUBLINGS_MAX)
    return min(WAIT_MAX, _WAIT_FIRST * (1 << doublings))


def forgive(session: Session, username: str, address: str) -> None:
    """Take the attempt back that turned out to be right: the name starts afresh, the address loses one."""
    forget_name(session, username)
    counter = session.get(LoginThrottle, f"address:{address}", with_for_update=True)
    if counter is not None and counter.failures > 0:
        counter.failures -= 1


def forget_name(session: Session, username: str) -> None:
    """Let *username* try again at once: after a right password, or an administrator's reset."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.key == name_key(username)))


def forget_old(session: Session) -> None:
    """Remove counters that no longer slow anybody down."""
    session.execute(delete(LoginThrottle).where(LoginThrottle.last_at < clock.now() - FORGOTTEN_AFTER))


def _locked(session: Session, key: str) -> LoginThrottle:
    now = clock.now()
    # Two first attempts at once: the second must wait for the first one's row, not fail on its key.
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    fresh = insert(LoginThrottle).values(key=key, failures=0, last_at=now, blocked_until=now)
    session.execute(fresh.on_conflict_do_nothing())
    return session.scalars(select(LoginThrottle).where(LoginThrottle.key == key).with_for_update()).one()
