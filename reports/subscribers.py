"""The register of subscribers as workbook or CSV: numbers masked, so it does not come in again."""

from collections.abc import Iterator

from sqlalchemy.orm import Session

from reports.registers import moment_text
from reports.workbook import Column
from supervise.complaints import queries
from supervise.complaints.queries import SubscriberFilters, SubscriberRow
from supervise.labels import N_
from supervise.parties.scope import Scope

SUBSCRIBER_COLUMNS = (
    Column[SubscriberRow](N_("Number"), lambda row: row.number_mask),
    Column[SubscriberRow](N_("Account"), lambda row: row.subscriber.account_ref, width=20),
    Column[SubscriberRow](N_("Unit code"), lambda row: row.unit_code),
    Column[SubscriberRow](N_("Region"), lambda row: row.unit_name, width=28),
    Column[SubscriberRow](N_("Held from"), lambda row: moment_text(row.subscriber.held_from), width=20),
    Column[SubscriberRow](N_("Held until"), lambda row: moment_text(row.subscriber.held_to), width=20),
    Column[SubscriberRow](N_("Source"), lambda row: row.subscriber.source, width=24),
)


def subscriber_lines(session: Session, scope: Scope, filters: SubscriberFilters) -> Iterator[SubscriberRow]:
    """Yield the subscribers, in the order in which they were entered."""
    after: int | None = None
    while rows := queries.subscribers_by_id(session, scope, filters, after=after):
        yield from rows
        after = rows[-1].subscriber.id
