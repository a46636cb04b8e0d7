"""What is done about a subscriber's objection to a reply, and about a mediation."""

from flask.typing import ResponseReturnValue

from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.compensation.mediated import promise_agreed_amount, promise_anew
from supervise.complaints import mediations, ticket_objections
from supervise.labels import _
from supervise.views.tickets import dispute_forms as forms
from supervise.views.tickets.blueprint import bp
from supervise.views.tickets.forms import StepForm
from supervise.views.tickets.steps import take


@bp.post("/<int:ticket_id>/objection")
@require(Permission.ANSWER_TICKETS)
def record_objection(ticket_id: int) -> ResponseReturnValue:
    """Record that the subscriber does not accept the reply."""
    form = forms.ObjectionForm()
    done = _("The objection is recorded; the ticket is open again")
    return take(ticket_id, "record_objection", form, ticket_objections.record_objection, done)


@bp.post("/<int:ticket_id>/objection/withdrawal")
@require(Permission.ANSWER_TICKETS)
def take_back(ticket_id: int) -> ResponseReturnValue:
    """Record that the subscriber leaves it at the last reply."""
    done = _("The objection is taken back")
    return take(ticket_id, "take_back", forms.TakeBackForm(), ticket_objections.withdraw_objection, done)


@bp.post("/<int:ticket_id>/mediation")
@require(Permission.ANSWER_TICKETS)
def mediate(ticket_id: int) -> ResponseReturnValue:
    """Record that an authority mediates."""
    done = _("The mediation is recorded")
    return take(ticket_id, "mediate", forms.MediationForm(), mediations.open_mediation, done)


@bp.post("/<int:ticket_id>/mediation/events")
@require(Permission.ANSWER_TICKETS)
def tell(ticket_id: int) -> ResponseReturnValue:
    """Keep what happened in the mediation."""
    done = _("The event is recorded")
    return take(ticket_id, "tell", forms.EventForm(), mediations.add_mediation_event, done)


@bp.post("/<int:ticket_id>/mediation/end")
@require(Permission.ANSWER_TICKETS)
def end_mediation(ticket_id: int) -> ResponseReturnValue:
    """End the mediation with its terms."""
    done = _("The mediation has ended")
    return take(ticket_id, "end_mediation", forms.EndForm(), mediations.end_mediation, done)


@bp.post("/<int:ticket_id>/mediation/promise")
@require(Permission.DRAFT_CONTRACTS)
def promise(ticket_id: int) -> ResponseReturnValue:
    """Draft the undertaking of the amount that was agreed."""
    done = _("The undertaking is drafted; a second person agrees to it")
    return take(ticket_id, "step", StepForm(), promise_agreed_amount, done)


@bp.post("/<int:ticket_id>/mediation/promise/anew")
@require(Permission.DRAFT_CONTRACTS)
def promise_again(ticket_id: int) -> ResponseReturnValue:
    """Draft the undertaking of an agreed amount anew, after its draft was given up."""
    done = _("The undertaking is drafted; a second person agrees to it")
    return take(ticket_id, "step", forms.AnewForm(), promise_anew, done)
