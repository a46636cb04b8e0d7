"""Remembering for a moment what is dear to count and need not be of this second: badges, charts, rankings."""

import datetime as dt
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from flask import current_app

from supervise import clock

T = TypeVar("T")

#: More than this is forgotten altogether: the next page counts anew.
_KEYS_MAX = 2_000


def remembered(key: Hashable, for_seconds: int, count: Callable[[], T]) -> T:
    """Return what *count* gives, or gave within the last seconds for the same *key* in this process."""
    kept: dict[Hashable, tuple[dt.datetime, Any]] = current_app.extensions.setdefault("supervise.remembered", {})
    now = clock.now()
    known = kept.get(key)
    if known is not None and now - known[0] < dt.timedelta(seconds=for_seconds):
        value: T = known[1]
        return value
    value = count()
    if len(kept) >= _KEYS_MAX:
        kept.clear()
    kept[key] = (now, value)
    return value


def forget(key: Hashable) -> None:
    """Count anew when *key* is asked for next."""
    current_app.extensions.setdefault("supervise.remembered", {}).pop(key, None)
