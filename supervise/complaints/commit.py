"""The second half of an import: the staged rows of a batch become tickets, all of them or none.

One transaction under one turn: a killed worker leaves the batch as it was previewed, and two imports of the same
rows, started together, make each ticket once.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock, phone
from supervise.audit.record import record_event
from supervise.bulk import uncollected
from supervise.cipher import Keyring
from supervise.complaints.deadlines import Deadlines
from supervise.complaints.interpret import report_of
from supervise.complaints.models import Ticket, TicketStep
from supervise.complaints.preview import Progress, no_progress
from supervise.complaints.profiles import profile_by_id
from supervise.complaints.receive import (
    INTAKE_TURN,
    Received,
    known_row_keys,
    known_tickets,
    receive_tickets,
    search_texts,
)
from supervise.complaints.reported import ReportedTicket
from supervise.complaints.search import Searchable, reindex_ticket
from supervise.db import take_turn
from supervise.errors import NotFoundError
from supervise.files.models import ImportBatch, ImportRow, RowVerdict
from supervise.files.staging import StoredRow, finish_batch, link_subjects, staged_rows

_SLICE = 5_000
_DIFF_MAX = 2_000

#: What the stages above add for the tickets just taken in, in the same transaction.
Follow = Callable[[Session, Sequence[Received]], None]


def commit_batch(
    session: Session,
    keyring: Keyring,
    batch_id: int,
    *,
    actor_id: int,
    follow: Follow,
    progress: Progress = no_progress,
) -> ImportBatch:
    """Take over a previewed batch: new rows and probable duplicates become tickets, changed ones are updated.

    A row whose ticket came in by another way since the preview adds nothing. *follow* records what is not a
    ticket's business, such as refusals.

    Raises:
        BatchStateError: if the batch was taken over or discarded before.
        NotFoundError: if there is no such batch.
    """
    take_turn(session, INTAKE_TURN)
    batch = finish_batch(session, batch_id, actor_id=actor_id)
    take_over = _TakeOver(session, keyring, batch, actor_id)
    with uncollected():
        for rows in take_over.slices((RowVerdict.NEW, RowVerdict.DUPLICATE)):
            follow(session, take_over.receive(rows))
            progress(take_over.done, batch.rows_total)
        for rows in take_over.slices((RowVerdict.CHANGED,)):
            take_over.update(rows)
            progress(take_over.done, batch.rows_total)
    record_event(
        session,
        actor_id=actor_id,
        action="import.committed",
        subject="import_batch",
        subject_id=batch_id,
        changes={"kind": batch.kind, "new": batch.rows_new + batch.rows_duplicate, "changed": batch.rows_changed},
    )
    return batch


class _TakeOver:
    """One batch on its way into the registers."""

    def __init__(self, session: Session, keyring: Keyring, batch: ImportBatch, actor_id: int) -> None:
        if batch.profile_id is None:
            raise NotFoundError
        self.session, self.keyring, self.batch, self.actor_id = session, keyring, batch, actor_id
        self.profile = profile_by_id(session, batch.profile_id)
        self.now = clock.now()
        self.done = 0

    def slices(self, verdicts: Sequence[RowVerdict]) -> Iterator[list[StoredRow]]:
        rows = staged_rows(self.session, self.batch.id, self.keyring, verdicts=verdicts)
        while piece := list(islice(rows, _SLICE)):
            yield piece
            self.done += len(piece)

    def receive(self, rows: Sequence[StoredRow]) -> list[Received]:
        reports = {row.id: self.report(row) for row in rows}
        fresh = self.unknown(reports)
        received = receive_tickets(self.session, self.keyring, list(fresh.values()), actor_id=self.actor_id)
        became = {row_id: ticket.ticket_id for row_id, ticket in zip(fresh, received, strict=True)}
        link_subjects(self.session, became)
        return received

    def unknown(self, reports: dict[int, ReportedTicket]) -> dict[int, ReportedTicket]:
        """Return the reports that nobody else brought in since the preview; the others are known now."""
        channel = self.profile.channel
        references = [report.external_ref for report in reports.values() if report.external_ref is not None]
        keys = [report.row_key for report in reports.values() if report.row_key is not None]
        known = {
            ticket_ref: ticket.id
            for found in (
                known_tickets(self.session, self.keyring, channel, references),
                known_row_keys(self.session, channel, keys),
            )
            for ticket_ref, ticket in found.items()
        }
        late = {
            row_id: known[key]
            for row_id, report in reports.items()
            if (key := report.external_ref or report.row_key) is not None and key in known
        }
        if late:
            self.recognise(late)
        return {row_id: report for row_id, report in reports.items() if row_id not in late}

    def recognise(self, late: dict[int, int]) -> None:
        counts = sa.select(ImportRow.verdict, sa.func.count()).where(ImportRow.id.in_(late))
        for verdict, count in self.session.execute(counts.group_by(ImportRow.verdict)):
            column = f"rows_{verdict.value}"
            setattr(self.batch, column, getattr(self.batch, column) - count)
        self.batch.rows_known += len(late)
        self.session.flush()
        self.session.execute(sa.update(ImportRow).where(ImportRow.id.in_(late)).values(verdict=RowVerdict.KNOWN))
        link_subjects(self.session, late)

    def update(self, rows: Sequence[StoredRow]) -> None:
        """Give the tickets of changed rows their new text and limit, each with a step that shows the change."""
        deadlines = Deadlines.load(self.session)
        tickets = {ticket.id: ticket for ticket in self.session.scalars(self.tickets_of(rows))}
        for row in rows:
            if row.subject_id is not None:
                self.update_ticket(tickets[row.subject_id], self.report(row), deadlines)
        self.session.flush()

    def tickets_of(self, rows: Sequence[StoredRow]) -> sa.Select[Ticket]:
        ids = [row.subject_id for row in rows]
        return sa.select(Ticket).where(Ticket.id.in_(ids)).order_by(Ticket.id).with_for_update()

    def update_ticket(self, ticket: Ticket, report: ReportedTicket, deadlines: Deadlines) -> None:
        before, content = ticket.content, phone.mask_in_text(report.content)
        ticket.content = content
        ticket.content_cipher = None
        if content != report.content:
            ticket.content_cipher = self.keyring.encrypt(report.content, "ticket.content_cipher", ticket.reference)
        if report.stated_due_on is not None:
            ticket.stated_due_on = report.stated_due_on
            due = deadlines.due(ticket.channel, ticket.unit_id, ticket.received_at, ticket.stated_due_on)
            if ticket.first_due_on is not None:
                # What is due now is an objection or a mediation; the limit is that of the first reply.
                ticket.first_due_on = due.on
            else:
                ticket.due_on, ticket.due_rule_id, ticket.due_provisional = due
        ticket.version += 1
        self.session.add(
            TicketStep(
                ticket_id=ticket.id,
                at=self.now,
                actor_id=self.actor_id,
                to_state=ticket.state,
                reason=_difference(before, content),
            )
        )
        reindex_ticket(self.session, Searchable(ticket.id, search_texts(report, ticket.reference, content)))

    def report(self, row: StoredRow) -> ReportedTicket:
        if row.cells is None:
            # Cells are purged only of batches that have ended.
            raise NotFoundError
        return report_of(
            row.cells,
            channel=self.profile.channel,
            plan=self.profile.numbering_plan,
            row_key=row.row_key,
            batch_id=self.batch.id,
            now=self.now,
        )


def _difference(before: str, after: str) -> str:
    """Return the lines that went (``-``) and came (``+``); numbers are masked in both already."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return "\n".join(line for line in lines if line[:1] in "+-")[:_DIFF_MAX]
