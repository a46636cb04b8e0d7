"""Rows of a file as rows of the store: every value read, every rule asked, and what is wrong named by row."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from supervise import clock
from supervise.cipher import Keyring
from supervise.errors import InvalidInputError
from supervise.evidence.cells import (
    ColumnReader,
    Read,
    SubscriberReader,
    column_reader,
    content_hashes,
    remark_on,
)
from supervise.evidence.keying import KeyedHashes
from supervise.evidence.reading import PLATFORM, RawBatch, RecordFile, ahead
from supervise.evidence.record_types import Reading, RecordType
from supervise.evidence.times import CHINA_AHEAD
from supervise.files.remarks import Remark, remark
from supervise.labels import N_

#: A platform's clock may be so far ahead of ours, and what it counts so far from what its clock says.
CLOCK_DRIFT = dt.timedelta(minutes=10)
COUNTED_DRIFT = dt.timedelta(minutes=1)
#: An earlier moment comes from a clock that nobody set; it also keeps China's summer times away.
EARLIEST = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
#: Of so many refused rows a file's reasons are kept; the others are counted.
REFUSED_KEPT = 10_000

CONTENT_HASH = "content_sha256"
ROW_NUMBER = "row_number"
SOURCE_ID = "source_id"


class Platform(NamedTuple):
    """A platform that may deliver rows of the file, and in which days."""

    source_id: int
    code: str
    valid_from: dt.date
    valid_to: dt.date | None


class Allowed(NamedTuple):
    """What the rows of a file may be of."""

    platforms: Mapping[str, Platform]
    #: The platform of all rows; None: the file says it of each.
    only: Platform | None
    #: The days for which the file is complete, half-open; None: those that it has.
    covers: tuple[dt.date, dt.date] | None


class Refused(NamedTuple):
    """Rows that are not taken over: how many, and the first of them with the reasons."""

    rows: int
    kept: Sequence[tuple[int, Sequence[Remark]]]


class KeyedBatch(NamedTuple):
    """Some rows of the file, without blank ones, with the keyed indexes of their subscribers."""

    raw: RawBatch
    subscribers: Read


def stored_schema(kind_of: RecordType) -> pa.Schema:
    """Return the columns of a row on its way: those of the store, its number in the file, and its platform's id."""
    return kind_of.schema.append(pa.field(ROW_NUMBER, pa.int64())).append(pa.field(SOURCE_ID, pa.int64()))


class RowReader:
    """Turns the batches of one file into rows of the store, and counts."""

    def __init__(self, kind_of: RecordType, allowed: Allowed, file: RecordFile, keyring: Keyring) -> None:
        self._kind_of = kind_of
        self._allowed = allowed
        self._headings = file.headings
        self._unfit = file.unfit
        self._unfit_count = 0
        self._keys = KeyedHashes(keyring.index_key)
        self._subscribers = SubscriberReader(KeyedHashes(keyring.index_key))
        self._readers: dict[str, ColumnReader] = {
            column.name: column_reader(column.reading, keyring)
            for column in kind_of.columns
            if column.name in file.headings and column.reading is not Reading.SUBSCRIBER
        }
        self._refused = 0
        self._kept: list[tuple[int, Sequence[Remark]]] = []
        self.rows_read = 0

    def keyed(self, batches: Iterable[RawBatch]) -> Iterator[KeyedBatch]:
        """Yield *batches* with their numbers keyed: half of the work, which other threads can do ahead."""
        for raw in ahead(map(_without_blank_rows, batches)):
            yield KeyedBatch(raw, self._subscribers(raw.cells["subscriber_index"]))

    def good_rows(self, batches: Iterable[KeyedBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows that are right, with ``stored_schema``."""
        for batch in batches:
            rows = self._rows_of(batch)
            self._drain_unfit()
            if rows.num_rows:
                yield rows
        self._drain_unfit()

    def refused(self) -> Refused:
        """Return what was refused so far."""
        return Refused(self._refused, sorted(self._kept)[:REFUSED_KEPT])

    def _drain_unfit(self) -> None:
        while self._unfit:
            row = self._unfit.popleft()
            self.rows_read += 1
            self._refuse(row.number, [row.remark])

    def _refuse(self, row_number: int, remarks: Sequence[Remark]) -> None:
        self._refused += 1
        if len(self._kept) < REFUSED_KEPT:
            self._kept.append((row_number, remarks))

    def _rows_of(self, keyed: KeyedBatch) -> pa.RecordBatch:
        batch = keyed.raw
        self.rows_read += len(batch.row_numbers)
        wrong = _Wrong(batch.wrong)
        values = self._values(keyed, wrong)
        self._check_order(values, wrong)
        self._place(values, batch, wrong)
        for place in wrong.places():
            self._refuse(batch.row_numbers[place].as_py(), wrong.remarks(place))
        values[ROW_NUMBER] = batch.row_numbers
        schema = stored_schema(self._kind_of)
        count = len(batch.row_numbers)
        columns = [values.get(field.name, None) for field in schema]
        arrays = [
            pa.nulls(count, field.type) if column is None else column.cast(field.type)
            for field, column in zip(schema, columns, strict=True)
        ]
        rows = pa.RecordBatch.from_arrays(arrays, schema=schema)
        return rows.filter(wrong.right(count)) if wrong else rows

    def _values(self, batch: KeyedBatch, wrong: "_Wrong") -> dict[str, pa.Array]:
        """Return the values of each column that the file has."""
        values: dict[str, pa.Array] = {}
        for column in self._kind_of.columns:
            if column.name not in self._headings:
                continue
            heading, cells = self._headings[column.name], batch.raw.cells[column.name]
            hidden = column.reading is Reading.SUBSCRIBER
            read = batch.subscribers if hidden else self._readers[column.name](cells)
            # Where a row has its text, the hash is of the text, whatever the platform says.
            before = [values[column.name]] if column.name in values else []
            values[column.name] = pc.coalesce(*before, read.values)
            wrong.add({place: remark_on(heading, error, subscriber=hidden) for place, error in read.wrong.items()})
            if column.required and cells.null_count:
                empty = remark(N_("This cell must not be empty"), column=heading)
                wrong.add(dict.fromkeys(_true_places(cells.is_null()), empty))
            if column.reading is Reading.CONTENT:
                values[CONTENT_HASH] = content_hashes(cells, self._keys)
            if column.reading is Reading.MOMENT:
                self._check_moments(read.values, heading, wrong)
        return values

    def _check_moments(self, moments: pa.Array, heading: str, wrong: "_Wrong") -> None:
        latest = clock.now() + CLOCK_DRIFT
        ahead = remark(N_("This time has not come yet: the platform's clock is ahead of ours"), column=heading)
        wrong.add(dict.fromkeys(_true_places(pc.greater(moments, pa.scalar(latest, moments.type))), ahead))
        unset = remark(N_("This time is before 2000: the platform's clock was not set"), column=heading)
        wrong.add(dict.fromkeys(_true_places(pc.less(moments, pa.scalar(EARLIEST, moments.type))), unset))

    def _check_order(self, values: Mapping[str, pa.Array], wrong: "_Wrong") -> None:
        """Refuse calls that end before they start, or that counted more seconds than passed."""
        if "ended_at" not in values:
            return
        lasted = pc.subtract(values["ended_at"], values[self._kind_of.moment])
        heading = self._headings["ended_at"]
        before = remark(N_("The end is before the start"), column=heading)
        backwards = _true_places(pc.less(lasted, pa.scalar(dt.timedelta(), lasted.type)))
        wrong.add(dict.fromkeys(backwards, before))
        counted = [values[name] for name in ("ring_seconds", "talk_seconds") if name in values]
        for seconds in _sum_of(counted):
            allowed = pc.add(lasted, pa.scalar(COUNTED_DRIFT, lasted.type))
            longer = pc.greater(pc.multiply(seconds, 1_000_000).cast(pa.int64()), allowed.cast(pa.int64()))
            too_long = remark(N_("Ringing and talking took longer than from the start to the end"), column=heading)
            already = set(backwards)
            wrong.add({place: too_long for place in _true_places(longer) if place not in already})

    def _place(self, values: dict[str, pa.Array], batch: RawBatch, wrong: "_Wrong") -> None:
        """Add platform, day and minute; refuse what its platform did not deliver then."""
        local = pc.add(values[self._kind_of.moment].cast(pa.timestamp("us")), pa.scalar(CHINA_AHEAD, _DURATION))
        days = local.cast(pa.date32(), safe=False)
        values["on_day"] = days
        values["minute_of_day"] = pc.add(pc.multiply(pc.hour(local), 60), pc.minute(local)).cast(pa.int16())
        only = self._allowed.only
        if PLATFORM in batch.cells:
            codes = self._known_platforms(batch.cells[PLATFORM], wrong)
        elif only is not None:
            codes = pa.array([only.code]).take(pa.array([0] * len(days), pa.int32()))
        values["platform"] = codes
        values[SOURCE_ID] = self._source_ids(codes, days, wrong)
        if self._allowed.covers is not None:
            first, end = (pa.scalar(day, pa.date32()) for day in self._allowed.covers)
            outside = pc.or_(pc.less(days, first), pc.greater_equal(days, end))
            words = remark(N_("This day is outside the period for which the file was said to be complete"))
            wrong.add(dict.fromkeys(_true_places(outside), words))

    def _known_platforms(self, cells: pa.Array, wrong: "_Wrong") -> pa.Array:
        heading, only = self._headings[PLATFORM], self._allowed.only
        trimmed = pc.utf8_trim_whitespace(cells)
        for code in pc.unique(trimmed).to_pylist():
            error: InvalidInputError | None = None
            if code is None:
                error = InvalidInputError(N_("This cell must not be empty"))
            elif code not in self._allowed.platforms:
                error = InvalidInputError(
                    N_("There is no platform %(code)s that delivers records of this kind"), code=code[:40]
                )
            elif only is not None and code != only.code:
                error = InvalidInputError(
                    N_("This row is of %(code)s, the import of %(platform)s"), code=code, platform=only.code
                )
            if error is not None:
                rows = trimmed.is_null() if code is None else pc.equal(trimmed, code)
                wrong.add(dict.fromkeys(_true_places(rows), remark_on(heading, error)))
        return trimmed

    def _source_ids(self, codes: pa.Array, days: pa.Array, wrong: "_Wrong") -> pa.Array:
        coded = codes.dictionary_encode()
        found = [self._allowed.platforms.get(code) for code in coded.dictionary.to_pylist()]
        for place, platform in enumerate(found):
            if platform is None:
                continue
            # A moment that could not be read has no day; it is refused already.
            outside = pc.less(days, pa.scalar(platform.valid_from, pa.date32()))
            if platform.valid_to is not None:
                outside = pc.or_(outside, pc.greater_equal(days, pa.scalar(platform.valid_to, pa.date32())))
            rows = _true_places(pc.and_(pc.equal(coded.indices, place), outside))
            words = remark(N_("The platform %(code)s was not in service on this day"), code=platform.code)
            wrong.add(dict.fromkeys(rows, words))
        return pa.array([one and one.source_id for one in found], pa.int64()).take(coded.indices)


_DURATION = pa.duration("us")


class _Wrong:
    """What is wrong with the rows of a batch, by place."""

    def __init__(self, known: Mapping[int, Sequence[Remark]]) -> None:
        self._remarks: dict[int, list[Remark]] = {place: list(remarks) for place, remarks in known.items()}

    def __bool__(self) -> bool:
        return bool(self._remarks)

    def add(self, remarks: Mapping[int, Remark]) -> None:
        for place, one in remarks.items():
            self._remarks.setdefault(place, []).append(one)

    def places(self) -> list[int]:
        return sorted(self._remarks)

    def remarks(self, place: int) -> Sequence[Remark]:
        return self._remarks[place]

    def right(self, count: int) -> pa.Array:
        return pa.array([place not in self._remarks for place in range(count)])


def _true_places(mask: pa.Array) -> list[int]:
    places: list[int] = pc.indices_nonzero(pc.fill_null(mask, fill_value=False)).to_pylist()
    return places


def _sum_of(counted: Sequence[pa.Array]) -> Iterator[pa.Array]:
    """Yield the sum, an empty cell counting as nothing; nothing at all where the file counts no seconds."""
    if counted:
        filled = [pc.fill_null(seconds.cast(pa.int64()), 0) for seconds in counted]
        yield filled[0] if len(filled) == 1 else pc.add(*filled)


def _without_blank_rows(raw: RawBatch) -> RawBatch:
    """Return the batch with empty cells as NULL, without the rows that have nothing in any column."""
    cells = {name: _null_if_blank(texts) for name, texts in raw.cells.items()}
    if all(texts.null_count for texts in cells.values()):
        blank = pa.array([True]).take(pa.array([0] * len(raw.row_numbers), pa.int32()))
        for texts in cells.values():
            blank = pc.and_(blank, texts.is_null())
        kept = pc.indices_nonzero(pc.invert(blank))
        if len(kept) < len(raw.row_numbers):
            moved = {old: new for new, old in enumerate(kept.to_pylist())}
            return RawBatch(
                {name: texts.take(kept) for name, texts in cells.items()},
                raw.row_numbers.take(kept),
                {moved[place]: remarks for place, remarks in raw.wrong.items() if place in moved},
                raw.position,
            )
    return RawBatch(cells, raw.row_numbers, raw.wrong, raw.position)


def _null_if_blank(texts: pa.Array) -> pa.Array:
    blank = pc.equal(pc.utf8_trim_whitespace(texts), "")
    if not pc.any(blank, min_count=0).as_py():
        return texts
    return pc.if_else(pc.fill_null(blank, fill_value=True), pa.scalar(None, pa.string()), texts)
