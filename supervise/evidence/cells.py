"""The cells of one column as values of the store, many at a time.

What is canonical already passes whole; of the rest each distinct text goes once through the parser that every other
import uses, so that a number in the records equals the same number in a complaint.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from supervise import phone
from supervise.cipher import Keyring
from supervise.errors import InvalidInputError
from supervise.evidence.codes import in_records
from supervise.evidence.keying import KeyedHashes
from supervise.evidence.record_types import TYPES, Reading
from supervise.evidence.times import MomentColumn
from supervise.files.remarks import Remark, remark
from supervise.files.values import CellError, parse_boolean, parse_seconds, parse_text, parse_yuan
from supervise.labels import N_

#: What records name is short; longer text is a cell that slipped.
_CODE_CHARS = 100
_TEXT_CHARS = 500
_CONTENT_CHARS = 2_000
#: So many distinct texts of a column are remembered.
_REMEMBERED = 1 << 17
#: No call lasts longer than a week.
_SECONDS_MAX = 7 * 24 * 3600
_INDEX_DIGITS = 32
_MOBILE = "^1[3-9][0-9]{9}$"
_UNPRINTABLE = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{fffe}\x{ffff}]"
#: Without it a text of the file stands in the store as it is.
_LOOK_CLOSER = rf"^[\s\x{{3000}}\x{{a0}}]|[\s\x{{3000}}\x{{a0}}]$|\r|{_UNPRINTABLE}"
_MASKED = rf"{_LOOK_CLOSER}|{phone.MAYBE_A_NUMBER}"
_CLASSES = {
    "marketing": ("营销", "营销类", "市场", "推广", "marketing"),
    "service": ("服务", "服务类", "通知", "行业", "service", "notification"),
    "verification": ("验证码", "验证", "验证类", "verification"),
}
_CLASS_OF = {word: name for name, words in _CLASSES.items() for word in words}


class Read(NamedTuple):
    """The values of a column (NULL: empty, or wrong), and by place what is wrong."""

    values: pa.Array
    wrong: Mapping[int, InvalidInputError]


class ColumnReader(Protocol):
    """Reads one column of a file, from its first batch to its last; an empty cell is NULL in *cells*."""

    def __call__(self, cells: pa.Array) -> Read:
        """Return what *cells* hold."""


def column_reader(reading: Reading, keyring: Keyring) -> ColumnReader:
    """Return what reads a column whose text becomes a value by *reading*."""
    if reading is Reading.MOMENT:
        moments = MomentColumn()
        return lambda cells: Read(*moments.read(cells))
    if reading is Reading.IDENTITY:
        return lambda cells: _read_texts(
            cells, _MASKED, lambda text, chars_max: _identity(text, chars_max, keyring), _TEXT_CHARS
        )
    if reading is Reading.TEXT:
        return lambda cells: _read_texts(cells, _MASKED, _masked, _TEXT_CHARS)
    if reading is Reading.CONTENT:
        return lambda cells: _read_distinct(cells, lambda text: _masked(text, _CONTENT_CHARS), pa.string())
    if reading is Reading.CONTENT_HASH:
        keys = KeyedHashes(keyring.index_key)
        return lambda cells: Read(content_hashes(cells, keys), {})
    if reading is Reading.CODE:
        return _Remembered(lambda text: _code(text, keyring), pa.string())
    return _Remembered(_PARSERS[reading], TYPES[reading])


class _Remembered:
    """Parses each distinct text of a column once: batches name the same callers again and again."""

    def __init__(self, parse: Callable[[str], Any], kind: pa.DataType) -> None:
        self._parse = parse
        self._texts = pa.array([], pa.string())
        self._values = pa.array([], kind)

    def __call__(self, cells: pa.Array) -> Read:
        """Return what *cells* hold."""
        coded = cells.dictionary_encode()
        known = pc.index_in(coded.dictionary, self._texts)
        values = self._values.take(known)
        new = known.is_null()
        errors: dict[int, InvalidInputError] = {}
        if known.null_count:
            texts = coded.dictionary.filter(new)
            parsed, found = _each(texts.to_pylist(), self._parse)
            fresh = pa.array(parsed, values.type)
            values = pc.replace_with_mask(values, new, fresh)
            places = pc.indices_nonzero(new)
            errors = {places[place].as_py(): error for place, error in found.items()}
            right = fresh.is_valid()
            if len(self._texts) + len(texts) > _REMEMBERED:
                self._texts, self._values = self._texts.slice(0, 0), self._values.slice(0, 0)
            self._texts = pa.concat_arrays([self._texts, texts.filter(right)])
            self._values = pa.concat_arrays([self._values, fresh.filter(right)])
        return Read(values.take(coded.indices), _of_rows(coded.indices, errors))


class SubscriberReader:
    """Reads the column of subscribers' numbers: the keyed index of each."""

    def __init__(self, keys: KeyedHashes) -> None:
        self._keys = keys
        self._normalise = functools.lru_cache(maxsize=_REMEMBERED)(phone.normalise)

    def __call__(self, cells: pa.Array) -> Read:
        """Return what *cells* hold."""
        numbers, errors = cells, {}
        # A mobile number in plain digits, as nearly all are, is its own normal form.
        other = pc.fill_null(pc.invert(pc.match_substring_regex(cells, _MOBILE)), fill_value=False)
        places = pc.indices_nonzero(other).to_pylist()
        if places:
            values, found = _each(cells.filter(other).to_pylist(), self._normalise)
            numbers = pc.replace_with_mask(cells, other, pa.array(values, pa.string()))
            errors = {places[place]: error for place, error in found.items()}
        return Read(pc.utf8_slice_codeunits(self._keys.of(numbers), 0, _INDEX_DIGITS), errors)


def content_hashes(cells: pa.Array, keys: KeyedHashes) -> pa.Array:
    """Return the keyed hash of each whole text, numbers included: it tells equal contents, and nobody's number.

    Beside masked words a plain hash would give the hidden digits away after ten thousand tries.
    """
    coded = cells.dictionary_encode()
    texts = pa.array(map(parse_text, coded.dictionary.to_pylist()), pa.string())
    return keys.of(texts).take(coded.indices)


def remark_on(heading: str, error: InvalidInputError, *, subscriber: bool = False) -> Remark:
    """Return what is wrong, ready to be stored: no number in it is whole, of a *subscriber* only the first digits."""
    hidden = _hidden if subscriber else phone.mask_in_text
    parameters = {name: hidden(value) if isinstance(value, str) else value for name, value in error.parameters.items()}
    return remark(error.message_id, **{**parameters, "column": heading})


def _hidden(text: str) -> str:
    seen = 0
    shown = []
    for letter in text:
        seen += letter.isdecimal()
        shown.append("*" if letter.isdecimal() and seen > len("139") else letter)
    return "".join(shown)


def _read_distinct(cells: pa.Array, parse: Callable[[str], Any], kind: pa.DataType) -> Read:
    coded = cells.dictionary_encode()
    values, errors = _each(coded.dictionary.to_pylist(), parse)
    return Read(pa.array(values, kind).take(coded.indices), _of_rows(coded.indices, errors))


def _each(texts: list[str], parse: Callable[[str], Any]) -> tuple[list[Any], dict[int, InvalidInputError]]:
    values: list[Any] = []
    errors: dict[int, InvalidInputError] = {}
    for place, text in enumerate(texts):
        try:
            values.append(parse(text))
        except InvalidInputError as error:
            values.append(None)
            errors[place] = error
    return values, errors


def _of_rows(indices: pa.Array, errors: Mapping[int, InvalidInputError]) -> dict[int, InvalidInputError]:
    # From errors of distinct texts to those of the rows that hold them.
    if not errors:
        return {}
    bad = pc.indices_nonzero(pc.is_in(indices, pa.array(list(errors), indices.type)))
    return {row: errors[indices[row].as_py()] for row in bad.to_pylist()}


def _read_texts(cells: pa.Array, closer: str, look: Callable[[str, int], str | None], chars_max: int) -> Read:
    doubtful = pc.or_(pc.match_substring_regex(cells, closer), pc.greater(pc.utf8_length(cells), chars_max))
    doubtful = pc.fill_null(doubtful, fill_value=False)
    rows = pc.indices_nonzero(doubtful).to_pylist()
    if not rows:
        return Read(cells, {})
    values, errors = _each(cells.filter(doubtful).to_pylist(), lambda text: look(text, chars_max))
    replaced = pc.replace_with_mask(cells, doubtful, pa.array(values, pa.string()))
    return Read(replaced, {rows[place]: error for place, error in errors.items()})


def _printable(text: str, chars_max: int) -> str | None:
    words = parse_text(text)
    if len(words) > chars_max:
        raise CellError(N_("The text is longer than %(limit)d characters"), limit=chars_max)
    if not words.replace("\n", "").replace("\t", "").isprintable() and _has_control(words):
        raise CellError(N_("The text contains control characters"))
    return words or None


def _has_control(words: str) -> bool:
    return bool(pc.match_substring_regex(pa.scalar(words), _UNPRINTABLE).as_py())


def _masked(text: str, chars_max: int) -> str | None:
    words = _printable(text, chars_max)
    return words if words is None else phone.mask_in_text(words)


def _identity(text: str, chars_max: int, keyring: Keyring) -> str | None:
    words = _printable(text, chars_max)
    if words is None or (phone.mask_in_text(words) == words and not phone.is_only_a_number(words)):
        return words
    # The same name in records of another kind gets the same index, but nobody's number does.
    return keyring.blind_index(f"record {words}")


def _code(text: str, keyring: Keyring) -> str | None:
    words = _printable(text, _CODE_CHARS)
    return words if words is None else in_records(words, keyring)


def _message_class(text: str) -> str:
    name = _CLASS_OF.get(parse_text(text).casefold())
    if name is None:
        raise CellError(N_("This is not a class of SMS (marketing, service, verification): %(text)s"), text=text[:40])
    return name


def _seconds(text: str) -> int:
    seconds = parse_seconds(text)
    if seconds > _SECONDS_MAX:
        raise CellError(N_("This number is larger than %(limit)d"), limit=_SECONDS_MAX)
    return seconds


_PARSERS: Mapping[Reading, Callable[[str], Any]] = {
    Reading.CALLER: phone.normalise,
    Reading.SECONDS: _seconds,
    Reading.YES_NO: parse_boolean,
    Reading.FEN: parse_yuan,
    Reading.MESSAGE_CLASS: _message_class,
}
