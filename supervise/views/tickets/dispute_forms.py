"""The forms of objections and mediations on the page of a ticket; which of them a person may fill in."""

from collections.abc import Mapping
from typing import Any

from wtforms import DateField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, Regexp

from supervise.access.identity import CurrentUser
from supervise.access.roles import Permission
from supervise.complaints.dispute_models import MediationState, Mediator, TicketObjectionState
from supervise.complaints.mediations import MediationCase, MediationEnding
from supervise.complaints.models import OPEN_TICKET_STATES, Channel, TicketState
from supervise.desk.story import TicketStory
from supervise.labels import _l
from supervise.money import FEN_MAX
from supervise.views.forms import Form, MomentField, YuanField
from supervise.views.tickets.forms import StepForm

_WORDS_MAX = 2_000
_DAY = [InputRequired(_l("Enter the day"))]


class ObjectionForm(StepForm):
    """What the subscriber does not accept, and when and where they said so."""

    objection_channel = SelectField(_l("Through which channel"), validators=[InputRequired()])
    objected_at = MomentField(_l("Received (China time)"), validators=[InputRequired(_l("Enter the time"))])
    objection_reason = TextAreaField(
        _l("What the subscriber objects to"),
        validators=[InputRequired(_l("Write the objection")), Length(min=4, max=_WORDS_MAX)],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.objection_channel.choices = [(channel.value, channel.label) for channel in Channel]

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {
            **super().arguments(),
            "channel": Channel(self.objection_channel.data),
            "received_at": self.objected_at.moment,
            "reason": self.objection_reason.data.strip(),
        }


class TakeBackForm(StepForm):
    """Why the subscriber leaves it at the last reply."""

    taken_back_because = TextAreaField(
        _l("Reason"), validators=[InputRequired(_l("Give a reason")), Length(min=4, max=_WORDS_MAX)]
    )

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {**super().arguments(), "reason": self.taken_back_because.data.strip()}


class MediationForm(StepForm):
    """Who mediates, under which number, until when."""

    mediator = SelectField(_l("Who mediates"), validators=[InputRequired()])
    case_number = StringField(
        _l("The mediator's case number"), validators=[InputRequired(_l("Enter the number")), Length(max=80)]
    )
    opened_on = DateField(_l("Mediation since"), validators=_DAY)
    mediated_until = DateField(
        _l("Term ends on"),
        description=_l("As the letter says; empty: by the term in the reference data, if there is one"),
        validators=[Optional()],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mediator.choices = [(mediator.value, mediator.label) for mediator in Mediator]

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        case = MediationCase(
            Mediator(self.mediator.data),
            self.case_number.data.strip(),
            self.opened_on.data,
            self.mediated_until.data,
        )
        return {**super().arguments(), "case": case}


class EventForm(StepForm):
    """What happened in the mediation."""

    told_on = DateField(_l("Day"), validators=_DAY)
    told = TextAreaField(
        _l("What happened"), validators=[InputRequired(_l("Say what happened")), Length(min=4, max=_WORDS_MAX)]
    )

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {**super().arguments(), "on_day": self.told_on.data, "words": self.told.data.strip()}


class EndForm(StepForm):
    """How the mediation ended."""

    ended_how = SelectField(_l("How it ended"), validators=[InputRequired()])
    ended_on = DateField(_l("Ended on"), validators=_DAY)
    outcome = TextAreaField(
        _l("Terms, or why there is no agreement"),
        validators=[InputRequired(_l("Write down the outcome")), Length(min=4, max=_WORDS_MAX)],
    )
    agreed_fen = YuanField(
        _l("Amount agreed to be credited (yuan)"),
        description=_l("Empty: no money was agreed"),
        validators=[Optional(), NumberRange(min=1, max=FEN_MAX)],
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        ends = [state for state in MediationState if state is not MediationState.OPEN]
        self.ended_how.choices = [(state.value, state.label) for state in ends]

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        state = MediationState(self.ended_how.data)
        ending = MediationEnding(state, self.ended_on.data, self.outcome.data.strip(), self.agreed_fen.data)
        return {**super().arguments(), "ending": ending}


class AnewForm(StepForm):
    """Of which mediation the amount is drafted anew."""

    mediation_id = HiddenField(validators=[InputRequired(), Regexp(r"^[0-9]{1,9}$", message=_l("Reload the page"))])

    def arguments(self) -> dict[str, Any]:
        """Return what the decision takes."""
        return {**super().arguments(), "mediation_id": int(self.mediation_id.data)}


def dispute_forms(seen: Mapping[str, Any]) -> dict[str, Form]:
    """Return the empty forms, each with the version that the page shows."""
    return {
        "record_objection": ObjectionForm(**seen),
        "take_back": TakeBackForm(**seen),
        "mediate": MediationForm(**seen),
        "tell": EventForm(**seen),
        "end_mediation": EndForm(**seen),
    }


def dispute_steps(story: TicketStory, me: CurrentUser) -> frozenset[str]:
    """Return the names of what *me* may do about objections and mediations of the ticket now."""
    steps: set[str] = set()
    ticket, mediations = story.ticket, [line.mediation for line in story.mediations]
    is_mediated = any(one.state is MediationState.OPEN for one in mediations)
    is_objected = any(one.state is TicketObjectionState.OPEN for one in story.objections)
    can_be_open = ticket.state in (*OPEN_TICKET_STATES, TicketState.CLOSED)
    if me.can(Permission.ANSWER_TICKETS) and can_be_open:
        if ticket.first_replied_at is not None and ticket.state is not TicketState.ACCEPTED:
            steps.add("take_back" if is_objected else "record_objection")
        steps |= {"tell", "end_mediation"} if is_mediated else {"mediate"}
    if me.can(Permission.DRAFT_CONTRACTS) and any(one.agreed_fen and not one.undertaking_id for one in mediations):
        steps.add("promise")
    if me.can(Permission.DRAFT_CONTRACTS) and any(one.given_up_at is not None for one in story.promises.values()):
        steps.add("promise_anew")
    return frozenset(steps)
