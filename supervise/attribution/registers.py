"""The registers as tables that records can be joined with: whole for a run over many incidents, or just what one needs.

Open ends are far days and moments, so that a join has no case for them; merged parties appear as what they became.
"""

import datetime as dt
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from supervise import clock
from supervise.bulk import slices
from supervise.evidence.codes import NUMBER_CHARS, is_index, recorder
from supervise.evidence.models import RecordSource
from supervise.evidence.record_types import MOMENT
from supervise.parties.chain import LAST_DAY, lineages
from supervise.parties.holders import PORT, held_between, holdings_of
from supervise.parties.models import NumberHolder, OfficialNumber, Party, PhoneNumber, SalesChannel, StaffNumber

_LAST_MOMENT = clock.start_of_day(LAST_DAY)
_FIRST_MOMENT = dt.datetime.min.replace(tzinfo=dt.UTC)

#: Who held a calling number when, never two at a time; a port by the longest of its beginnings that somebody held.
HOLDERS = pa.schema(
    [
        ("name", pa.string()),
        ("party_id", pa.int64()),
        ("held_from", MOMENT),
        ("held_to", MOMENT),
    ]
)
STAFF = pa.schema(
    [
        ("carrier_code", pa.string()),
        ("staff_number", pa.string()),
        ("party_id", pa.int64()),
        ("from_day", pa.date32()),
        ("to_day", pa.date32()),
    ]
)
PLATFORMS = pa.schema([("platform", pa.string()), ("carrier_code", pa.string())])
CHANNELS = pa.schema(
    [("channel_code", pa.string()), ("party_id", pa.int64()), ("from_day", pa.date32()), ("to_day", pa.date32())]
)
OFFICIALS = pa.schema([("digits", pa.string()), ("from_day", pa.date32()), ("to_day", pa.date32())])
#: ``parties.chain.Lineage``.
LINEAGE = pa.schema(
    [("party_id", pa.int64()), ("member_id", pa.int64()), ("from_day", pa.date32()), ("to_day", pa.date32())]
)
#: Days for which every platform in service has delivered its call records.
COVERED = pa.schema([("on_day", pa.date32())])


class Registers(NamedTuple):
    """What joins with the records that were found."""

    holders: pa.Table
    staff: pa.Table
    platforms: pa.Table
    channels: pa.Table
    officials: pa.Table


def table_of(rows: Iterable[Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """Return *rows* as a table; rows are tuples in the order of *schema*."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.table([pa.array(column, type=field.type) for column, field in zip(columns, schema, strict=True)], schema)


def registers_for(
    session: Session,
    *,
    numbers: Collection[str],
    staff_numbers: Collection[str] | None = None,
    channel_codes: Collection[str] | None = None,
) -> Registers:
    """Return what the registers say on these numbers, staff numbers and channel codes.

    Without staff numbers they are read whole, for a run over many incidents; ports come with each of its parts
    (``with_ports``).
    """
    whole = staff_numbers is None
    plain = {digits for digits in numbers if not _is_port(digits)}
    found = Registers(
        holders=table_of(_holders(session, None if whole else plain), HOLDERS),
        staff=table_of(_staff(session, staff_numbers), STAFF),
        platforms=table_of(session.execute(select(RecordSource.code, RecordSource.carrier_code)), PLATFORMS),
        channels=table_of(_channels(session, channel_codes), CHANNELS),
        officials=table_of(_officials(session, None if whole else numbers), OFFICIALS),
    )
    return with_ports(session, found, numbers)


def with_ports(session: Session, tables: Registers, numbers: Collection[str]) -> Registers:
    """Return the registers with the holders of those of *numbers* that are ports."""
    ports = sorted(filter(_is_port, numbers))
    if not ports:
        return tables
    held = holdings_of(session, set(ports))
    rows = (
        (port, one.party_id, start, end)
        for port in ports
        for one, start, end in held_between(port, held, _FIRST_MOMENT, _LAST_MOMENT)
    )
    return tables._replace(holders=pa.concat_tables([tables.holders, table_of(rows, HOLDERS)]))


def _is_port(digits: str) -> bool:
    return digits.startswith(PORT)


def lineage_of(session: Session, party_ids: Collection[int]) -> pa.Table:
    """Return who stood above each of the parties, on which days (``LINEAGE``)."""
    return table_of(lineages(session, party_ids), LINEAGE)


def _selected(
    session: Session, query: Select[*tuple[Any, ...]], column: InstrumentedAttribute[str], keys: Collection[str] | None
) -> Iterator[Any]:
    """Yield the rows of *query* whose *column* is one of *keys*; None: all."""
    conditions: Iterable[ColumnElement[bool]] = (
        [true()] if keys is None else (column.in_(some) for some in slices(sorted(keys)))
    )
    return itertools.chain.from_iterable(session.execute(query.where(condition)) for condition in conditions)


def _holders(session: Session, names: Collection[str] | None) -> Iterator[tuple[Any, ...]]:
    query = (
        select(
            PhoneNumber.digits,
            func.coalesce(Party.merged_into_id, Party.id),
            NumberHolder.held_from,
            NumberHolder.held_to,
        )
        .join(PhoneNumber, PhoneNumber.id == NumberHolder.number_id)
        .join(Party, Party.id == NumberHolder.party_id)
        .where(PhoneNumber.digits.not_like(f"{PORT}%"))
    )
    for digits, party_id, held_from, held_to in _selected(session, query, PhoneNumber.digits, names):
        yield digits, party_id, held_from, held_to or _LAST_MOMENT


def _of_codes(
    session: Session, query: Select[*tuple[Any, ...]], column: InstrumentedAttribute[str], codes: Collection[str] | None
) -> Iterator[Any]:
    """Yield the rows of *query* whose *column* is one of the *codes* of records; None: all."""
    yield from _selected(session, query, column, codes)
    if codes is not None and any(map(is_index, codes)):
        recorded, wanted = recorder(session), set(codes)
        # An index does not tell what it is of: the few codes that may hold a number are looked through.
        longer = query.add_columns(column).where(func.length(column) >= NUMBER_CHARS)
        yield from (
            row[:-1] for row in session.execute(longer) if row[-1] not in wanted and recorded(row[-1]) in wanted
        )


def _staff(session: Session, staff_numbers: Collection[str] | None) -> Iterator[tuple[Any, ...]]:
    query = select(
        StaffNumber.carrier_code,
        StaffNumber.staff_number,
        func.coalesce(Party.merged_into_id, Party.id),
        StaffNumber.valid_from,
        StaffNumber.valid_to,
    ).join(Party, Party.id == StaffNumber.employer_id)
    recorded = recorder(session)
    for carrier, code, *rest in _of_codes(session, query, StaffNumber.staff_number, staff_numbers):
        yield _closed((carrier, recorded(code), *rest))


def _channels(session: Session, channel_codes: Collection[str] | None) -> Iterator[tuple[Any, ...]]:
    query = select(
        SalesChannel.channel_code,
        func.coalesce(Party.merged_into_id, Party.id),
        SalesChannel.valid_from,
        SalesChannel.valid_to,
    ).join(Party, Party.id == SalesChannel.party_id)
    recorded = recorder(session)
    for code, *rest in _of_codes(session, query, SalesChannel.channel_code, channel_codes):
        yield _closed((recorded(code), *rest))


def _officials(session: Session, numbers: Collection[str] | None) -> Iterator[tuple[Any, ...]]:
    query = select(OfficialNumber.digits, OfficialNumber.valid_from, OfficialNumber.valid_to)
    return map(_closed, _selected(session, query, OfficialNumber.digits, numbers))


def _closed(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return a row whose last column, the end of its period, is never open."""
    return (*row[:-1], row[-1] or LAST_DAY)
