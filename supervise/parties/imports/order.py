"""The order in which rows that refer to each other are written."""

from collections.abc import Collection, Iterable


def parents_first(rows: Iterable[tuple[str, str | None]], known: Collection[str]) -> list[str]:
    """Return the codes of (code, parent code) *rows*, each after its parent; *known* codes are there already.

    A row whose parent is nowhere, or that stands in a circle, is left out, and so is all below it.
    """
    waiting: dict[str | None, list[str]] = {}
    for code, parent_code in rows:
        waiting.setdefault(None if parent_code in known else parent_code, []).append(code)
    ordered: list[str] = []
    ready = waiting.pop(None, [])
    while ready:
        code = ready.pop()
        ordered.append(code)
        ready += waiting.pop(code, [])
    return ordered
