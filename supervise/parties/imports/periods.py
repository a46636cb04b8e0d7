"""Rows of a file that claim a key for a period, against the periods that the register has of it."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from supervise.files.models import RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.labels import N_
from supervise.parties.imports.overlaps import Point, Span, overlapping_rows
from supervise.parties.imports.register_file import Judgement, error
from supervise.parties.periods import in_words

Key = TypeVar("Key")
_WRITTEN = (RowVerdict.NEW, RowVerdict.CHANGED)


class Claim(NamedTuple, Generic[Key, Point]):
    """A row of the file: the *key* that nobody else has at the same time, for whom, when."""

    row_number: int
    key: Key
    #: With the first point it says which period of the key is meant.
    owner: object
    #: What a refusal calls the owner.
    name: str
    first: Point
    end: Point | None


class Held(NamedTuple, Generic[Point]):
    """A period of a key in the register."""

    id: int
    owner: object
    name: str
    first: Point
    end: Point | None


def compared(claims: Collection[Claim[Key, Point]], held: Mapping[Key, Sequence[Held[Point]]]) -> dict[int, Judgement]:
    """Return for each claim whether the register has it, has it with another end, or does not have it.

    A claim without an end leaves the register's end as it is.
    """
    judged = {}
    for claim in claims:
        start = (claim.owner, claim.first)
        same = next((one for one in held.get(claim.key, ()) if (one.owner, one.first) == start), None)
        if same is None:
            judged[claim.row_number] = Judgement(RowVerdict.NEW)
        elif claim.end is None or claim.end == same.end:
            judged[claim.row_number] = Judgement(RowVerdict.KNOWN, subject_id=same.id)
        else:
            moved = remark(N_("The end in the register is %(moment)s"), moment=in_words(same.end))
            judged[claim.row_number] = Judgement(RowVerdict.CHANGED, [moved], same.id)
    return judged


def without_overlaps(
    judged: Mapping[int, Judgement],
    claims: Collection[Claim[Key, Point]],
    held: Mapping[Key, Sequence[Held[Point]]],
    in_the_way: Callable[[Span[Point]], Remark],
) -> dict[int, Judgement]:
    """Return *judged*, but errors for what would overlap another row of the file or of the register.

    *in_the_way* says what stands there: row 0 is the register's.
    """
    spans: dict[Key, list[Span[Point]]] = defaultdict(list)
    restated = set()
    for claim in claims:
        if judged[claim.row_number].verdict in _WRITTEN:
            spans[claim.key].append(Span(claim.first, claim.end, claim.row_number, claim.name))
            restated.add((claim.key, claim.owner, claim.first))
    for key, of_key in spans.items():
        of_key += [
            Span(one.first, one.end, 0, one.name)
            for one in held.get(key, ())
            if (key, one.owner, one.first) not in restated
        ]
    found = overlapping_rows(spans)
    return {**judged, **{row_number: error(in_the_way(other)) for row_number, other in found.items()}}
