"""Moments of a column, many at a time: one way of writing for each column of a file, the first rows say which.

A file in which two programs wrote their times is a file in which one of them may be wrong: what is written otherwise
than the first rows is refused. All ways begin with the year, so that none can be read as another day.
"""

import datetime as dt
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from supervise.errors import InvalidInputError
from supervise.evidence.record_types import MOMENT
from supervise.files.values import CellError, Precision, parse_moment
from supervise.labels import N_

#: China's clocks since its last summer time, in 1991.
CHINA_AHEAD = dt.timedelta(hours=8)
#: So many rows decide how a column is written.
_FIRST_ROWS = 1_000
#: What one broken value takes the slow way with it.
_PIECE = 2_048
_NAIVE = pa.timestamp("us")

_RUN = re.compile(r"[0-9]+")
_COMPACT = re.compile(r"20[0-9]{10}(?:[0-9]{2})?")
_ZONE = re.compile(r"(?:[zZ]|[+-][0-9]{2}:?[0-9]{2})$")
_PARTS = ("YYYY", "MM", "DD", "hh", "mm", "ss", "f")
#: What stands for each part of a format's name in a pattern.
_LOOSE = {"YYYY": r"(?P<YYYY>\d{4})", "f": r"(?P<f>\d{1,6})", "zone": r"(?P<zone>[zZ]|[+-]\d{2}:?\d{2})"}
_LOOSE |= {part: rf"(?P<{part}>\d{{1,2}})" for part in ("MM", "DD", "hh", "mm", "ss")}
_STRICT = {"YYYY": r"\d{4}", "f": r"\d{1,6}", "zone": r"(?:Z|[+-]\d{2}:\d{2})"}
_STRICT |= dict.fromkeys(("MM", "DD", "hh", "mm", "ss"), r"\d{2}")
_TOKEN = re.compile("YYYY|zone|MM|DD|hh|mm|ss|f")
_ISO = re.compile("YYYY-MM-DD[T ]hh:mm(?::ss(?:[.]f)?)?(?:zone)?")


def format_of(text: str) -> str | None:
    """Return how a moment is written: ``YYYY-MM-DD hh:mm:ss``; None for what is none. Zeros in front do not matter."""
    try:
        parse_moment(text)
    except InvalidInputError:
        return None
    folded = _folded(text)
    if _COMPACT.fullmatch(folded):
        return "YYYYMMDDhhmmss"[: len(folded)]
    zone = _ZONE.search(folded) if ":" in folded else None
    written = folded[: zone.start()].rstrip() if zone else folded
    names = iter(_PARTS)
    return _RUN.sub(lambda _run: next(names, "f"), written) + ("zone" if zone else "")


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())


def _pattern(name: str, parts: Mapping[str, str]) -> str:
    return "^" + _TOKEN.sub(lambda token: parts[token[0]], re.sub(r"([.+*?()\[\]])", r"\\\1", name)) + "$"


class MomentColumn:
    """The moments of one column of a file, from its first batch to its last."""

    def __init__(self) -> None:
        self._format: str | None = None
        #: Patterns that a whole array may fit, each with what then makes moments of it.
        self._ways: list[tuple[str, Callable[[pa.Array], pa.Array]]] = []

    def read(self, cells: pa.Array) -> tuple[pa.Array, dict[int, InvalidInputError]]:
        """Return the moments of *cells* (NULL: empty), and by place what is wrong."""
        if self._format is None:
            self._decide(cells)
        whole = self._together(cells)
        if whole is not None:
            return whole, {}
        pieces: list[pa.Array] = []
        wrong: dict[int, InvalidInputError] = {}
        for start in range(0, len(cells), _PIECE):
            piece = cells.slice(start, _PIECE)
            moments = self._together(piece)
            if moments is None:
                moments, found = self._one_by_one(piece)
                wrong |= {start + place: error for place, error in found.items()}
            pieces.append(moments)
        return pa.concat_arrays(pieces), wrong

    def _decide(self, cells: pa.Array) -> None:
        first = cells.drop_null().slice(0, _FIRST_ROWS).to_pylist()
        counted = Counter(name for name in map(format_of, first) if name is not None and "mm" in name)
        if not counted:
            return
        self._format = counted.most_common(1)[0][0]
        if _ISO.fullmatch(self._format):
            self._ways.append((_pattern(self._format, _STRICT), self._from_iso))
        compact = self._format.startswith("YYYYMM")
        loose = {part: pattern.replace("{1,2}", "{2}") for part, pattern in _LOOSE.items()} if compact else _LOOSE
        pattern = _pattern(self._format, loose)
        self._ways.append((pattern, lambda texts: self._from_iso(_as_iso(texts, pattern))))

    def _from_iso(self, texts: pa.Array) -> pa.Array:
        if self._format is not None and self._format.endswith("zone"):
            return texts.cast(MOMENT)
        ahead = pa.scalar(CHINA_AHEAD, pa.duration("us"))
        return pc.subtract(texts.cast(_NAIVE), ahead).cast(MOMENT)

    def _together(self, cells: pa.Array) -> pa.Array | None:
        for pattern, moments_of in self._ways:
            if pc.all(pc.match_substring_regex(cells, pattern), min_count=0).as_py():
                try:
                    return moments_of(cells)
                except pa.ArrowInvalid:
                    # There is no such day or hour among them.
                    return None
        return pa.nulls(len(cells), MOMENT) if cells.null_count == len(cells) else None

    def _one_by_one(self, cells: pa.Array) -> tuple[pa.Array, dict[int, InvalidInputError]]:
        moments: list[dt.datetime | None] = []
        wrong: dict[int, InvalidInputError] = {}
        for place, text in enumerate(cells.to_pylist()):
            try:
                moments.append(None if text is None else self._moment(text))
            except InvalidInputError as error:
                moments.append(None)
                wrong[place] = error
        return pa.array(moments, MOMENT), wrong

    def _moment(self, text: str) -> dt.datetime:
        moment = parse_moment(text)
        if moment.precision is Precision.DAY:
            raise CellError(N_("The time of day is missing: %(text)s"), text=text[:40])
        name = format_of(text)
        if name != self._format:
            raise CellError(
                N_("This time is written as %(found)s, those of the first rows as %(format)s"),
                found=name or "",
                format=self._format or "",
            )
        together = self._together(pa.array([_folded(text)]))
        exact: dt.datetime = moment.at if together is None else together[0].as_py()
        return exact


def _as_iso(texts: pa.Array, pattern: str) -> pa.Array:
    found = pc.extract_regex(texts, pattern)
    parts = {field.name: pc.struct_field(found, field.name) for field in found.type}
    padded = {name: pc.utf8_lpad(part, 2, padding="0") for name, part in parts.items() if len(name) == len("MM")}
    day = pc.binary_join_element_wise(parts["YYYY"], padded["MM"], padded["DD"], "-")
    seconds = [padded["ss"]] if "ss" in padded else []
    time = pc.binary_join_element_wise(padded["hh"], padded["mm"], *seconds, ":")
    if "f" in parts:
        time = pc.binary_join_element_wise(time, parts["f"], ".")
    iso = pc.binary_join_element_wise(day, time, " ")
    return pc.binary_join_element_wise(iso, pc.utf8_upper(parts["zone"]), "") if "zone" in parts else iso
