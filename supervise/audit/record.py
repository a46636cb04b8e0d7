"""Writing an audit event, in the transaction of the change that it tells of."""

import enum
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

from sqlalchemy import Table, insert
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.models import AuditEvent

#: Many events go in as plain rows: the mapper would cost more than the insert.
_EVENTS = cast("Table", AuditEvent.__table__)
#: Longer words are a mistake of the caller or an attack; what is cut is marked.
_TEXT_MAX = 500


class Origin(NamedTuple):
    """Where the work at hand comes from."""

    address: str | None
    request_id: str | None


_origin: ContextVar[Origin] = ContextVar("audit_origin", default=Origin(None, None))  # noqa: B039 - a named tuple never changes


@contextmanager
def from_origin(address: str | None, request_id: str | None) -> Iterator[None]:
    """Put *address* and *request_id* on every event recorded inside the block."""
    token = _origin.set(Origin(address, request_id))
    try:
        yield
    finally:
        _origin.reset(token)


def record_event(
    session: Session,
    *,
    actor_id: int | None,
    action: str,
    subject: str,
    subject_id: int | str | None,
    changes: Mapping[str, Any] | None = None,
    reason: str | None = None,
) -> None:
    """Write that *actor_id* did *action* to a row; one call for each change, in the change's transaction.

    *changes* hold ids and business facts, as ``{"role": ["clerk", "triager"]}`` for old and new;
    enums, dates and moments are written as text. Never a subscriber's number, name or text.
    """
    session.execute(insert(AuditEvent), [_event(actor_id, action, subject, subject_id, changes, reason)])


def record_events(
    session: Session,
    *,
    actor_id: int | None,
    action: str,
    subject: str,
    changes: Iterable[tuple[int | str, Mapping[str, Any]]],
    reason: str | None = None,
) -> None:
    """Write one event for each (row's id, its changes): the same *action* on many rows at once, as ``record_event``."""
    events = [_event(actor_id, action, subject, subject_id, change, reason) for subject_id, change in changes]
    if events:
        session.execute(insert(_EVENTS), events)


def _event(  # noqa: PLR0917 - a private row of columns
    actor_id: int | None,
    action: str,
    subject: str,
    subject_id: int | str | None,
    changes: Mapping[str, Any] | None,
    reason: str | None,
) -> dict[str, Any]:
    origin = _origin.get()
    return {
        "at": clock.now(),
        "actor_id": actor_id,
        "action": action,
        "subject": subject,
        "subject_id": None if subject_id is None else str(subject_id),
        "changes": None if changes is None else {name: _plain(value) for name, value in changes.items()},
        "reason": reason if reason is None or len(reason) <= _TEXT_MAX else f"{reason[:_TEXT_MAX]}…",
        "address": origin.address,
        "request_id": origin.request_id,
    }


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return ``{name: [old, new]}`` of what differs between two pictures of a row with the same names."""
    return {name: [before[name], new] for name, new in after.items() if before[name] != new}


def _plain(value: Any) -> Any:
    """Return *value* as JSON holds it."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    return str(value)
