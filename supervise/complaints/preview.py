"""The first half of an import: every row of the file gets a verdict and a reason; nothing is taken over yet.

Lookups go by slices of rows, never row by row.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.bulk import uncollected
from supervise.cipher import Keyring
from supervise.complaints.incidents import CallKey, KnownCall, KnownCalls
from supervise.complaints.interpret import Interpreted, Interpreter, call_of, content_of, identity_values
from supervise.complaints.models import ImportProfile
from supervise.complaints.profiles import mapping_of, profile_by_id
from supervise.complaints.receive import KnownTicket, known_row_keys, known_tickets, reporting_tickets
from supervise.complaints.regions import Regions
from supervise.complaints.reported import ReportedCall
from supervise.complaints.subscribers import known_number_ids
from supervise.errors import NotFoundError, RefusalError
from supervise.files.identity import RowKeys
from supervise.files.models import BatchState, ImportBatch, RowVerdict, Upload
from supervise.files.reader import RawRow, read_table
from supervise.files.remarks import Remark, remark
from supervise.files.staging import StagedRow, move_batch, stage_rows
from supervise.files.uploads import plain_file
from supervise.labels import N_
from supervise.parties.scope import Scope

#: Rows that a request still reads itself; more become a job.
ROWS_IN_REQUEST = 5_000
_SLICE = 2_000

#: ``progress(rows done, rows in all)``; 0 in all: not known yet.
Progress = Callable[[int, int], None]


class TooManyForRequestError(RefusalError):
    """The file has more rows than a request may read: a job must. Never shown."""

    message = N_("The file is read in the background")


def no_progress(_done: int, _total: int) -> None:
    """Tell nobody."""


def preview_batch(
    session: Session,
    keyring: Keyring,
    folder: Path,
    batch_id: int,
    *,
    progress: Progress = no_progress,
    rows_max: int | None = None,
) -> ImportBatch:
    """Read the uploaded file of a batch and stage its rows with a verdict each.

    *folder* is where uploads lie. Doing it again replaces the rows.

    Raises:
        FileRefusedError: if the file as a whole cannot be read (``staging.refuse_batch`` then says so).
        TooManyForRequestError: past *rows_max* rows; nothing is kept.
        BatchStateError: if the batch was taken over or discarded meanwhile.
        NotFoundError: if there is no such batch.
    """
    batch = move_batch(session, batch_id, BatchState.READING)
    upload = session.get_one(Upload, batch.upload_id)
    if batch.profile_id is None:
        raise NotFoundError
    profile = profile_by_id(session, batch.profile_id)
    mapping = mapping_of(profile)
    with plain_file(upload, folder, keyring) as file, read_table(file, mapping.required_headings) as table:
        columns = mapping.columns(table.header)
        judge = _Judge(session, keyring, batch, profile, Interpreter(columns, profile.channel, clock.now()))
        rows = judge.rows(table.rows, progress, rows_max)
        with uncollected():
            return stage_rows(session, batch_id, rows, keyring, header=table.header)


class _Known(NamedTuple):
    """What a slice of rows is compared with."""

    by_reference: dict[str, KnownTicket]
    by_row_key: dict[str, KnownTicket]
    number_ids: dict[str, int]
    calls: KnownCalls
    #: Which ticket reported each of these calls first.
    reporters: dict[int, str]


class _Judge:
    """Gives each row of one file its verdict."""

    def __init__(
        self, session: Session, keyring: Keyring, batch: ImportBatch, profile: ImportProfile, interpreter: Interpreter
    ) -> None:
        self.session, self.keyring = session, keyring
        self.channel, self.plan = profile.channel, profile.numbering_plan
        self.interpreter = interpreter
        self.regions = Regions.load(session, default_id=batch.options.get("unit_id"))
        self.scope = Scope.of(session, session.get_one(User, batch.created_by))
        self.row_keys = RowKeys(scope=self.channel.value)
        # What earlier rows of this very file said.
        self.references: dict[str, int] = {}
        self.strangers: dict[str, int] = {}
        self.calls = KnownCalls()

    def rows(self, raw: Iterable[RawRow], progress: Progress, rows_max: int | None) -> Iterator[StagedRow]:
        source, done = iter(raw), 0
        while piece := list(islice(source, _SLICE)):
            done += len(piece)
            if rows_max is not None and done > rows_max:
                raise TooManyForRequestError
            columns = self.interpreter.columns
            yield from self.slice([self.interpreter.read(columns.map_row(row)) for row in piece])
            progress(done, 0)

    def slice(self, rows: Sequence[Interpreted]) -> Iterator[StagedRow]:
        right = [row for row in rows if not row.is_wrong]
        keys = {
            row.row_number: self.row_keys.key(identity_values(row.cells))
            for row in right
            if "external_ref" not in row.cells
        }
        calls = {row.row_number: call_of(row.cells, self.plan) for row in right}
        known = self.known(right, keys, [call for call in calls.values() if call is not None])
        homes = self.regions.homes(self.session, self.home_questions(right, calls, known.number_ids))
        for row in rows:
            if row.is_wrong:
                yield StagedRow(row.row_number, RowVerdict.ERROR, row.cells, row.remarks)
                continue
            question = _home_question(row, calls[row.row_number], known.number_ids)
            row.cells["unit_id"] = self.regions.unit_of(row.cells, homes.get(question) if question else None)
            yield self.judged(row, keys.get(row.row_number), calls[row.row_number], known)

    def home_questions(
        self, rows: Sequence[Interpreted], calls: dict[int, ReportedCall | None], number_ids: dict[str, int]
    ) -> list[tuple[int, dt.datetime]]:
        questions = (_home_question(row, calls[row.row_number], number_ids) for row in rows)
        return [question for question in questions if question is not None]

    def known(self, rows: Sequence[Interpreted], keys: dict[int, str], calls: Sequence[ReportedCall]) -> _Known:
        references = [row.cells["external_ref"] for row in rows if "external_ref" in row.cells]
        numbers = {row.cells["number"] for row in rows if "number" in row.cells}
        number_ids = known_number_ids(self.session, self.keyring, numbers)
        known_calls = KnownCalls.load(self.session, number_ids.values(), calls)
        return _Known(
            known_tickets(self.session, self.keyring, self.channel, references),
            known_row_keys(self.session, self.channel, list(keys.values())),
            number_ids,
            known_calls,
            reporting_tickets(self.session, known_calls.incident_ids()),
        )

    def judged(self, row: Interpreted, key: str | None, call: ReportedCall | None, known: _Known) -> StagedRow:
        reference = row.cells.get("external_ref")
        if not self.scope.covers(row.cells["unit_id"]) and not self.scope.sees_everything:
            return self.wrong(row, remark(N_("This row belongs to a region that is not yours")))
        if reference is not None:
            earlier = self.references.setdefault(reference, row.row_number)
            if earlier != row.row_number:
                return self.wrong(
                    row, remark(N_("%(reference)s stands in row %(row)d already"), reference=reference, row=earlier)
                )
        ticket = known.by_reference.get(reference) if reference else known.by_row_key.get(key or "")
        if ticket is not None:
            return self.recognised(row, key, ticket)
        duplicate = self.duplicate(row, call, known)
        if duplicate is not None:
            return StagedRow(row.row_number, RowVerdict.DUPLICATE, row.cells, [duplicate, *row.remarks], key)
        return StagedRow(row.row_number, RowVerdict.NEW, row.cells, row.remarks, key)

    def wrong(self, row: Interpreted, why: Remark) -> StagedRow:
        return StagedRow(row.row_number, RowVerdict.ERROR, row.cells, [why])

    def recognised(self, row: Interpreted, key: str | None, ticket: KnownTicket) -> StagedRow:
        stated = row.cells.get("stated_due_on")
        same_limit = stated is None or (ticket.stated_due_on and ticket.stated_due_on.isoformat() == stated)
        if "external_ref" not in row.cells or (ticket.original == content_of(row.cells) and same_limit):
            why = remark(N_("Already received as ticket %(reference)s"), reference=ticket.reference)
            return StagedRow(row.row_number, RowVerdict.KNOWN, row.cells, [why], key, ticket.id)
        why = remark(N_("Ticket %(reference)s has another text or limit now"), reference=ticket.reference)
        return StagedRow(row.row_number, RowVerdict.CHANGED, row.cells, [why], key, ticket.id)

    def duplicate(self, row: Interpreted, call: ReportedCall | None, known: _Known) -> Remark | None:
        """Say as what the row's call is known; remember it for the rows that follow."""
        number = row.cells.get("number")
        if call is None or number is None or call.caller_number is None:
            return None
        # A number that the database does not know yet still meets itself further down.
        number_id = known.number_ids.get(number) or -(1 + self.strangers.setdefault(number, len(self.strangers)))
        key = CallKey(number_id, call.caller_number, call.kind)
        stored, in_file = known.calls.match(key, call), self.calls.match(key, call)
        self.calls.add(key, KnownCall(row.row_number, call.occurred_at, call.precision))
        if stored.is_ambiguous or in_file.is_ambiguous:
            return remark(N_("Two known calls could be this one; a person decides after the import"))
        if stored.incident_id is not None:
            reference = known.reporters[stored.incident_id]
            return remark(N_("Probably the same call as in ticket %(reference)s"), reference=reference)
        if in_file.incident_id is not None:
            return remark(N_("Probably the same call as in row %(row)d"), row=in_file.incident_id)
        return None


def _home_question(
    row: Interpreted, call: ReportedCall | None, number_ids: dict[str, int]
) -> tuple[int, dt.datetime] | None:
    """Return whose home region to ask for, and as of when."""
    number_id = number_ids.get(row.cells.get("number", ""))
    return None if number_id is None or call is None else (number_id, call.occurred_at)
