"""The ledger's events and a credit's steps in words."""

import datetime as dt
from collections.abc import Iterator

from supervise.desk.credit_story import CreditStory
from supervise.labels import N_, translate
from supervise.views.telling import Told

#: What an entry's event is called; one that is not here shows as it is stored.
EVENTS = {
    "credit.approved": N_("Credit approved"),
    "credit.cancelled": N_("Approved credit cancelled"),
    "credit.sent": N_("Credit sent to billing"),
    "credit.accepted": N_("Credited by billing"),
    "credit.rejected": N_("Rejected by billing"),
    "credit.void": N_("Batch voided"),
    "penalty.approved": N_("Penalty approved"),
    "penalty.contestable_settled": N_("Contestable penalty became final: approval reversed"),
    "penalty.final": N_("Penalty final"),
    "penalty.voided": N_("Penalty lifted after an objection"),
    "penalty.reduced": N_("Penalty reduced after an objection"),
    "penalty.reversed": N_("Final penalty reversed"),
    "penalty.waived": N_("Penalty waived"),
    "penalty.refund_due": N_("Collected before it was lifted: owed back to the party"),
    "penalty.written_off": N_("Penalty written off"),
    "recovery.approved": N_("Recovery of a credit approved"),
    "recovery.voided": N_("Recovery of a credit taken back"),
    "recovery.refund_due": N_("Collected of a recovery that was taken back: owed back to the party"),
    "fine_recourse.approved": N_("Regulator's fine claimed back"),
    "fine_recourse.reversed": N_("Claim of a regulator's fine reversed"),
    "fine_recourse.received": N_("Payment for a claim of a regulator's fine"),
    "fine_recourse.refund_due": N_("Received for a claim that was reversed: owed back to the party"),
    "settlement.refund": N_("Refund due set against debts"),
    "settlement.deposit": N_("Deposit drawn for debts"),
    "settlement.commission": N_("Commission set off against debts"),
    "settlement.cash": N_("Payment received for debts"),
    "commission.confirmed": N_("Set-off confirmed by the commission system"),
    "deposit.received": N_("Deposit received"),
    "deposit.returned": N_("Deposit returned"),
    "refund.paid": N_("Refund paid"),
}
#: What the trail tells of a credit.
_ACTIONS = {
    "credits.returned": (N_("Returned"), "warning"),
    "credit.cancellation_proposed": (N_("Cancellation proposed"), "warning"),
    "credit.cancellation_withdrawn": (N_("Cancellation withdrawn or refused"), None),
    "credit.cancelled": (N_("Cancelled; the approval's entry is reversed"), "danger"),
}


def event_words(event: str) -> str:
    """Return what the event of an entry is called."""
    return translate(EVENTS.get(event, event))


def steps_of_credit(story: CreditStory) -> list[Told]:
    """Return what happened to a credit, the newest first: approval, batches, billing's answers, cancellation."""
    # Backwards as a whole: of two steps of one moment the later one stands first, too.
    return sorted(_steps(story), key=lambda step: step.at)[::-1]


def _steps(story: CreditStory) -> Iterator[Told]:
    credit, names = story.credit, story.names

    def told(
        at: dt.datetime, actor_id: int | None, title: str, detail: str | None = None, tone: str | None = None
    ) -> Told:
        return Told(at, title, names.get(actor_id or 0), detail, tone)

    yield told(credit.proposed_at, credit.maker_id, translate(N_("Credit proposed")))
    if credit.approved_at is not None:
        yield told(credit.approved_at, credit.approver_id, event_words("credit.approved"), tone="success")
    for line, batch in story.places:
        yield told(batch.frozen_at, batch.frozen_by, event_words("credit.sent"), batch.number, "primary")
        if line.returned_at is not None and line.result is not None:
            tone = "danger" if line.failure_code else "success"
            yield told(line.returned_at, line.returned_by, line.result.label, line.failure_code, tone)
        elif batch.voided_at is not None:
            yield told(batch.voided_at, batch.voided_by, event_words("credit.void"), batch.void_reason, "warning")
    for event in story.events:
        if event.action in _ACTIONS:
            words, tone_of = _ACTIONS[event.action]
            yield told(event.at, event.actor_id, translate(words), event.reason, tone_of)
