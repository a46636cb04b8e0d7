"""The registers as workbook or CSV. Headings are those that the import accepts: what goes out comes in again."""

import csv
import datetime as dt
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.workbook import CellKind, Column, Sheet, WorkbookFile, write_workbook
from supervise import clock
from supervise.files.error_file import neutralised
from supervise.labels import N_, translate
from supervise.money import format_yuan
from supervise.parties import (
    capability_queries,
    number_queries,
    official_queries,
    queries,
    relation_queries,
    sales_channel_queries,
    staff_queries,
)
from supervise.parties.capability_queries import CapabilityFilters, CapabilityLine
from supervise.parties.models import NumberHolder, Party, PartyAlias, PartyRelation, RelationRole
from supervise.parties.number_queries import NumberFilters
from supervise.parties.official_queries import OfficialFilters, OfficialRow
from supervise.parties.periods import holds_at
from supervise.parties.queries import PartyFilters, UnitFilters, UnitRow
from supervise.parties.relation_queries import RelationFilters, RelationLine
from supervise.parties.sales_channel_queries import SalesChannelFilters, SalesChannelLine
from supervise.parties.scope import Scope
from supervise.parties.staff_queries import StaffFilters, StaffRow

T = TypeVar("T")


class PartyLine(NamedTuple):
    """A party with its other names and what it is tied to today."""

    party: Party
    aliases: Sequence[str]
    above_code: str | None
    role: RelationRole | None
    valid_from: dt.date | None


class HoldingLine(NamedTuple):
    """A number with one of its holders, or with none."""

    digits: str
    is_prefix: bool
    note: str | None
    holder: NumberHolder | None
    party: Party | None


def yes_or_no(value: bool) -> str:  # noqa: FBT001 - the value of a cell
    """Return the word that a cell says, in the current locale."""
    return translate(N_("yes") if value else N_("no"))


def moment_text(at: dt.datetime | None) -> str:
    """Return a moment as a cell holds it: China's wall clock to the second; nothing for an open end."""
    return "" if at is None else f"{at.astimezone(clock.CHINA):%Y-%m-%d %H:%M:%S}"


def day_text(day: dt.date | None) -> str:
    """Return a day as a cell holds it; nothing for an open end."""
    return "" if day is None else day.isoformat()


UNIT_COLUMNS = (
    Column[UnitRow](N_("Unit code"), lambda row: row.unit.code),
    Column[UnitRow](N_("Unit name"), lambda row: row.unit.name, width=28),
    Column[UnitRow](N_("Level"), lambda row: row.unit.kind.label, width=12),
    Column[UnitRow](N_("Parent code"), lambda row: row.parent_code),
    Column[UnitRow](N_("Valid from"), lambda row: day_text(row.valid_from), width=12),
    Column[UnitRow](N_("Cost centre"), lambda row: row.unit.cost_centre),
)
PARTY_COLUMNS = (
    Column[PartyLine](N_("Party code"), lambda row: row.party.code),
    Column[PartyLine](N_("Party name"), lambda row: row.party.name, width=32),
    Column[PartyLine](N_("Kind"), lambda row: row.party.kind.label),
    Column[PartyLine](N_("Credit code"), lambda row: row.party.credit_code, width=20),
    Column[PartyLine](N_("Standing"), lambda row: row.party.status.label),
    Column[PartyLine](N_("Works for"), lambda row: row.above_code),
    Column[PartyLine](N_("Relation"), lambda row: row.role.label if row.role else ""),
    Column[PartyLine](N_("Valid from"), lambda row: day_text(row.valid_from), width=12),
    Column[PartyLine](N_("Natural person"), lambda row: yes_or_no(row.party.is_person), width=10),
    Column[PartyLine](N_("Other names"), lambda row: "; ".join(row.aliases), width=32),
    Column[PartyLine](N_("Contact"), lambda row: row.party.contact, width=24),
    Column[PartyLine](N_("Note"), lambda row: row.party.note, width=32),
)
NUMBER_COLUMNS = (
    Column[HoldingLine](N_("Number"), lambda row: row.digits, width=22),
    Column[HoldingLine](N_("Party code"), lambda row: row.party.code if row.party else ""),
    Column[HoldingLine](N_("Party name"), lambda row: row.party.name if row.party else "", width=32),
    Column[HoldingLine](
        N_("Held from"), lambda row: moment_text(row.holder.held_from if row.holder else None), width=20
    ),
    Column[HoldingLine](
        N_("Held until"), lambda row: moment_text(row.holder.held_to if row.holder else None), width=20
    ),
    Column[HoldingLine](N_("Prefix"), lambda row: yes_or_no(row.is_prefix), width=8),
    Column[HoldingLine](N_("Source"), lambda row: row.holder.source if row.holder else "", width=24),
    Column[HoldingLine](N_("Note"), lambda row: row.note, width=32),
)
STAFF_COLUMNS = (
    Column[StaffRow](N_("Carrier"), lambda row: row.row.carrier_code, width=8),
    Column[StaffRow](N_("Staff number"), lambda row: row.row.staff_number),
    Column[StaffRow](N_("Alias"), lambda row: row.row.alias),
    Column[StaffRow](N_("Employer code"), lambda row: row.employer.code),
    Column[StaffRow](N_("Employer"), lambda row: row.employer.name, width=32),
    Column[StaffRow](N_("Place code"), lambda row: row.place.code if row.place else ""),
    Column[StaffRow](N_("Valid from"), lambda row: day_text(row.row.valid_from), width=12),
    Column[StaffRow](N_("Valid until"), lambda row: day_text(row.row.valid_to), width=12),
)


OFFICIAL_COLUMNS = (
    Column[OfficialRow](N_("Carrier"), lambda row: row.row.carrier_code, width=8),
    Column[OfficialRow](N_("Number"), lambda row: row.row.digits, width=22),
    Column[OfficialRow](N_("Used for"), lambda row: row.row.use.label),
    Column[OfficialRow](N_("Legal basis"), lambda row: row.row.legal_basis, width=48),
    Column[OfficialRow](N_("Valid from"), lambda row: day_text(row.row.valid_from), width=12),
    Column[OfficialRow](N_("Valid until"), lambda row: day_text(row.row.valid_to), width=12),
)
RELATION_COLUMNS = (
    Column[RelationLine](N_("Party code"), lambda row: row.child.code),
    Column[RelationLine](N_("Party name"), lambda row: row.child.name, width=32),
    Column[RelationLine](N_("Relation"), lambda row: row.relation.role.label),
    Column[RelationLine](N_("Works for"), lambda row: row.parent.code),
    Column[RelationLine](N_("Name of the party above"), lambda row: row.parent.name, width=32),
    Column[RelationLine](N_("Valid from"), lambda row: day_text(row.relation.valid_from), width=12),
    Column[RelationLine](N_("Valid until"), lambda row: day_text(row.relation.valid_to), width=12),
)
CAPABILITY_COLUMNS = (
    Column[CapabilityLine](N_("Party code"), lambda row: row.party.code),
    Column[CapabilityLine](N_("Party name"), lambda row: row.party.name, width=32),
    Column[CapabilityLine](N_("May do"), lambda row: row.row.capability.label),
    Column[CapabilityLine](N_("Area code"), lambda row: row.area.code if row.area else ""),
    Column[CapabilityLine](N_("Area"), lambda row: row.area.name if row.area else "", width=24),
    Column[CapabilityLine](N_("Valid from"), lambda row: day_text(row.row.valid_from), width=12),
    Column[CapabilityLine](N_("Valid until"), lambda row: day_text(row.row.valid_to), width=12),
    Column[CapabilityLine](N_("Source"), lambda row: row.row.source, width=40),
)
SALES_CHANNEL_COLUMNS = (
    Column[SalesChannelLine](N_("Channel code"), lambda row: row.row.channel_code),
    Column[SalesChannelLine](N_("Channel name"), lambda row: row.row.name, width=28),
    Column[SalesChannelLine](N_("Kind of channel"), lambda row: row.row.kind.label, width=16),
    Column[SalesChannelLine](N_("Party code"), lambda row: row.party.code),
    Column[SalesChannelLine](N_("Party name"), lambda row: row.party.name, width=32),
    Column[SalesChannelLine](N_("Valid from"), lambda row: day_text(row.row.valid_from), width=12),
    Column[SalesChannelLine](N_("Valid until"), lambda row: day_text(row.row.valid_to), width=12),
)


def unit_lines(session: Session, scope: Scope, filters: UnitFilters) -> Iterator[UnitRow]:
    """Yield the units, by code."""
    after = ""
    while rows := queries.units_by_code(session, scope, filters, after=after):
        yield from rows
        after = rows[-1].unit.code


def party_lines(session: Session, scope: Scope, filters: PartyFilters) -> Iterator[PartyLine]:
    """Yield the parties with what they are tied to, by name."""
    after: tuple[str, int] | None = None
    while parties := queries.parties_by_name(session, scope, filters, after=after):
        ids = [party.id for party in parties]
        aliases: dict[int, list[str]] = {}
        for party_id, name in session.execute(
            select(PartyAlias.party_id, PartyAlias.name).where(PartyAlias.party_id.in_(ids)).order_by(PartyAlias.name)
        ):
            aliases.setdefault(party_id, []).append(name)
        above = _tied_to(session, ids)
        for party in parties:
            yield PartyLine(party, aliases.get(party.id, ()), *above.get(party.id, (None, None, None)))
        after = (parties[-1].name, parties[-1].id)


def _tied_to(session: Session, ids: Sequence[int]) -> dict[int, tuple[str, RelationRole, dt.date]]:
    query = (
        select(PartyRelation.child_id, Party.code, PartyRelation.role, PartyRelation.valid_from)
        .join(Party, Party.id == PartyRelation.parent_id)
        .where(
            PartyRelation.child_id.in_(ids),
            holds_at(PartyRelation.valid_from, PartyRelation.valid_to, clock.today()),
        )
        .order_by(PartyRelation.id)
    )
    return {child_id: (code, role, valid_from) for child_id, code, role, valid_from in session.execute(query)}


def number_lines(session: Session, scope: Scope, filters: NumberFilters) -> Iterator[HoldingLine]:
    """Yield the numbers with each of their holders in time, by digits."""
    after = ""
    while rows := number_queries.numbers_by_digits(session, scope, filters, after=after):
        query = (
            select(NumberHolder, Party)
            .join(Party, Party.id == NumberHolder.party_id)
            .where(NumberHolder.number_id.in_([row.number.id for row in rows]))
            .order_by(NumberHolder.held_from)
        )
        held: dict[int, list[tuple[NumberHolder, Party]]] = {}
        for holder, party in session.execute(scope.limit(query, party=NumberHolder.party_id)):
            held.setdefault(holder.number_id, []).append((holder, party))
        for row in rows:
            number = row.number
            for one, holding_party in held.get(number.id, [(None, None)]):
                yield HoldingLine(number.digits, number.is_prefix, number.note, one, holding_party)
        after = rows[-1].number.digits


def staff_lines(session: Session, scope: Scope, filters: StaffFilters) -> Iterator[StaffRow]:
    """Yield the staff numbers with every period, by number."""
    after: tuple[str, int] | None = None
    while rows := staff_queries.staff_by_number(session, scope, filters, after=after):
        yield from rows
        after = (rows[-1].row.staff_number, rows[-1].row.id)


def official_lines(session: Session, filters: OfficialFilters) -> Iterator[OfficialRow]:
    """Yield the official numbers with every period, by number."""
    after: tuple[str, int] | None = None
    while rows := official_queries.officials_by_number(session, filters, after=after):
        yield from rows
        after = (rows[-1].row.digits, rows[-1].row.id)


def relation_lines(session: Session, scope: Scope, filters: RelationFilters) -> Iterator[RelationLine]:
    """Yield the ties with every period, by the party below."""
    after: tuple[str, int] | None = None
    while rows := relation_queries.relations_by_child(session, scope, filters, after=after):
        yield from rows
        after = (rows[-1].child.code, rows[-1].relation.id)


def capability_lines(session: Session, scope: Scope, filters: CapabilityFilters) -> Iterator[CapabilityLine]:
    """Yield what parties may do with every period, by the party's code."""
    after: tuple[str, int] | None = None
    while rows := capability_queries.capabilities_by_party(session, scope, filters, after=after):
        yield from rows
        after = (rows[-1].party.code, rows[-1].row.id)


def sales_channel_lines(session: Session, scope: Scope, filters: SalesChannelFilters) -> Iterator[SalesChannelLine]:
    """Yield the sales channels with every period, by code."""
    after: tuple[str, int] | None = None
    while rows := sales_channel_queries.channels_by_code(session, scope, filters, after=after):
        yield from rows
        after = (rows[-1].row.channel_code, rows[-1].row.id)


def register_workbook(path: Path, title: str, columns: Sequence[Column[T]], rows: Iterable[T]) -> WorkbookFile:
    """Write a register to *path*, as it is now, under *title* in the current locale."""
    return write_workbook(path, [Sheet(title, columns, rows)], clock.now())


def register_csv(columns: Sequence[Column[T]], rows: Iterable[T]) -> Iterator[str]:
    """Yield a register as CSV lines with a byte-order mark, which a spreadsheet needs to see Chinese."""
    yield "\ufeff" + _line([translate(column.heading) for column in columns])
    for row in rows:
        yield _line([_cell(column, row) for column in columns])


def _cell(column: Column[T], row: T) -> str:
    value = column.value(row)
    if value is None:
        return ""
    # In yuan, without the thousands' commas that a spreadsheet in another country reads otherwise.
    return format_yuan(int(value), grouped=False) if column.kind is CellKind.YUAN else neutralised(str(value))


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue()
