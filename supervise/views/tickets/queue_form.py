"""The filters above the queue: the same form reads an address, a saved view and the rows of a bulk action."""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, DateField, SelectField, SelectMultipleField
from wtforms.validators import Length, Optional, ValidationError

from supervise import clock, phone
from supervise.complaints.dispute_queries import Dispute
from supervise.complaints.models import Channel, TicketState
from supervise.complaints.subscribers import known_number_ids
from supervise.desk.parties import UnknownPartyError, party_named
from supervise.desk.queue import Lateness, Place, QueueFilters, SoughtNumber
from supervise.errors import InvalidInputError
from supervise.labels import N_, _, _l
from supervise.parties.scope import Scope
from supervise.parties.tree import branch_ids, tree_at
from supervise.views.forms import Form, WordsField
from supervise.views.remembering import remembered
from supervise.views.settings import current_keyring

_ONE_DAY = dt.timedelta(days=1)
#: A new branch may take so long to appear among the filters.
_SECONDS = 60
_DUE_WORDS = {
    Lateness.LATE: N_("Late"),
    Lateness.TODAY: N_("Due today"),
    Lateness.WEEK: N_("Due within 7 days"),
}

_DISPUTE_WORDS = {
    Dispute.OBJECTED: N_("Objected to"),
    Dispute.AGAIN: N_("Objected to again"),
    Dispute.MEDIATION: N_("In mediation"),
}


class BadPlaceError(InvalidInputError):
    """The address names no place in the queue."""

    message = N_("This address names no page of the queue; begin at the first one")


class QueueForm(Form):
    """What the queue is narrowed to."""

    class Meta(Form.Meta):
        """A GET form has nothing to forge."""

        csrf = False

    q = WordsField(
        _l("Words"),
        description=_l("Ticket, phone number, words of the complaint"),
        validators=[Optional(), Length(max=100)],
    )
    state = SelectMultipleField(_l("State"), validators=[Optional()])
    channel = SelectMultipleField(_l("Channel"), validators=[Optional()])
    due = SelectField(_l("Due"), validators=[Optional()])
    unit = SelectField(_l("Branch"), validators=[Optional()])
    party = WordsField(
        _l("Responsible party"), description=_l("Code or name"), validators=[Optional(), Length(max=100)]
    )
    since = DateField(_l("Received from"), validators=[Optional()])
    last = DateField(_l("to"), validators=[Optional()])
    dispute = SelectField(_l("Disputed"), validators=[Optional()])
    undecided = BooleanField(_l("Without a verdict"))

    def __init__(self, units: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state.choices = [(state.value, state.label) for state in TicketState]
        self.channel.choices = [(channel.value, channel.label) for channel in Channel]
        self.due.choices = [("", _("All")), *((key.value, _(words)) for key, words in _DUE_WORDS.items())]
        self.dispute.choices = [("", _("All")), *((key.value, _(words)) for key, words in _DISPUTE_WORDS.items())]
        self.unit.choices = [("", _("All")), *units]

    def validate_last(self, field: DateField) -> None:
        """Refuse days upside down: they would find nothing and look like an empty queue."""
        if field.data is not None and self.since.data is not None and field.data < self.since.data:
            raise ValidationError(_("The last day is before the first"))

    @property
    def is_narrowed(self) -> bool:
        """Whether any filter is set."""
        return any(field.data for field in self)


class ReadFilters(NamedTuple):
    """The form as it was filled in, and what it means; None if it holds an error."""

    form: QueueForm
    filters: QueueFilters | None


def read_filters(session: Session, scope: Scope, query: MultiDict[str, str]) -> ReadFilters:
    """Return the filters of an address or of a saved view."""
    today = clock.today()
    units = remembered(("units", scope, today), _SECONDS, lambda: _units(session, scope, today))
    form = QueueForm(units, formdata=query)
    if not form.validate():
        return ReadFilters(form, None)
    party_id: int | None = None
    if form.party.data:
        try:
            party_id = party_named(session, form.party.data).id
        except UnknownPartyError as error:
            form.party.errors = [phone.mask_in_text(str(error))]
            return ReadFilters(form, None)
    words, numbers = phone.split_numbers(form.q.data or "")
    known = known_number_ids(session, current_keyring(), numbers) if numbers else {}
    unit_ids = None
    if form.unit.data:
        unit_id = int(form.unit.data)
        unit_ids = remembered(("branch", unit_id, today), _SECONDS, lambda: branch_ids(session, unit_id, today))
    return ReadFilters(
        form,
        QueueFilters(
            words=words,
            numbers=tuple(SoughtNumber(digits, known.get(digits)) for digits in numbers),
            states=tuple(TicketState(value) for value in form.state.data or () if value),
            channels=tuple(Channel(value) for value in form.channel.data or () if value),
            lateness=Lateness(form.due.data) if form.due.data else None,
            unit_ids=unit_ids,
            party_id=party_id,
            received_from=clock.start_of_day(form.since.data) if form.since.data else None,
            received_before=clock.start_of_day(form.last.data + _ONE_DAY) if form.last.data else None,
            undecided=form.undecided.data,
            dispute=Dispute(form.dispute.data) if form.dispute.data else None,
        ),
    )


def _units(session: Session, scope: Scope, today: dt.date) -> list[tuple[str, str]]:
    rows = tree_at(session, today, within=None if scope.sees_everything else scope.unit_ids)
    # Ideographic spaces: a select shows leading plain ones as nothing.
    return [(str(row.unit.id), "　" * row.depth + row.unit.name) for row in rows]


def place_of(text: str | None) -> Place | None:
    """Return the place in the queue that an address names, as ``2026-10-14.123``.

    Raises:
        BadPlaceError: for any other text.
    """
    if not text:
        return None
    day, _dot, ticket_id = text.partition(".")
    if not (ticket_id.isascii() and ticket_id.isdecimal() and len(ticket_id) < 19):  # noqa: PLR2004 - 64 bits
        raise BadPlaceError
    try:
        return Place(dt.date.fromisoformat(day), int(ticket_id))
    except ValueError:
        raise BadPlaceError from None


def name_of_place(place: Place | None) -> str | None:
    """Return how an address names *place*."""
    return f"{place.due_on.isoformat()}.{place.ticket_id}" if place else None
