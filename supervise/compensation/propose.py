"""Proposing credits: per call for proven incidents, once for history; every amount with its explanation."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.compensation.models import (
    CompensationPolicy,
    Credit,
    CreditKind,
    CreditNature,
    CreditState,
    PromiseState,
    Undertaking,
)
from supervise.compensation.pricing import Call, NothingOwedError, Promise, credit_for_call
from supervise.compensation.queries import (
    LIVE_CREDIT_STATES,
    CreditableIncident,
    bearer_of,
    creditable_incidents,
    credits_by_promise_and_day,
    policies_by_period,
    undertakings_of_subscribers,
)
from supervise.complaints.models import SubscriberNumber
from supervise.contracts.accounting import AccountingLabels
from supervise.contracts.models import ContractDirection
from supervise.db import reserve_ids
from supervise.errors import ConflictError, NotFoundError, RefusalError, RowResult
from supervise.labels import N_

#: A promise as the counter of a day's credits names it: (undertaking id, policy id), one of them None.
PromiseKey = tuple[int | None, int | None]


class LumpAlreadyGrantedError(ConflictError):
    """History is settled once per undertaking (domain 7.3, example 2)."""

    message = N_("History was already settled by %(reference)s")


def propose_credits(session: Session, incident_ids: Sequence[int], *, actor_id: int) -> list[RowResult]:
    """Propose a credit for each incident that a promise covers; return a result for every id, in order.

    The person who held the number at the call is owed, by their undertaking of that moment, else by the policy.
    Source: docs/rules.md, C-1.
    """
    ids = list(dict.fromkeys(incident_ids))
    found = {row.incident_id: row for row in creditable_incidents(session, ids)}
    _lock_numbers(session, [row.number_id for row in found.values() if row.number_id is not None])
    proposer = _Proposer(session, list(found.values()), actor_id)
    results = [RowResult(incident_id, proposer.consider(found.get(incident_id))) for incident_id in ids]
    proposer.write()
    return results


def _lock_numbers(session: Session, number_ids: Sequence[int]) -> None:
    # The daily limit is a sum over rows: two proposals for one subscriber must not both see the old sum.
    session.execute(
        select(SubscriberNumber.id)
        .where(SubscriberNumber.id.in_(set(number_ids)))
        .order_by(SubscriberNumber.id)
        .with_for_update()
    ).all()


class _Proposer:
    """Decides on incidents one after the other in memory, then writes all credits in one statement."""

    def __init__(self, session: Session, incidents: Sequence[CreditableIncident], actor_id: int) -> None:
        self.session = session
        self.actor_id = actor_id
        subscriber_ids = {row.subscriber_id for row in incidents if row.subscriber_id is not None}
        self.undertakings = undertakings_of_subscribers(session, subscriber_ids)
        self.policies = policies_by_period(session)
        self.labels = AccountingLabels(session)
        self.that_day: Counter[tuple[PromiseKey, int, str]] = credits_by_promise_and_day(session, subscriber_ids)
        self.rows: list[dict[str, Any]] = []

    def consider(self, incident: CreditableIncident | None) -> RefusalError | None:
        """Take *incident* in, or return why not."""
        try:
            self.rows.append(self._credit(incident))
        except RefusalError as refusal:
            return refusal
        return None

    def _credit(self, incident: CreditableIncident | None) -> dict[str, Any]:
        if incident is None:
            raise NotFoundError
        subscriber_id, number_id = _owed_to(incident)
        promise, key, nature = self._promise_for(incident, subscriber_id)
        day = (key, subscriber_id, incident.occurred_on.isoformat())
        call = Call(incident.kind, incident.occurred_at, incident.precision, incident.answered)
        explanation = credit_for_call(call, promise, self.that_day[day])
        self.that_day[day] += 1
        return {
            "kind": CreditKind.PER_CALL,
            "nature": nature,
            "incident_id": incident.incident_id,
            "undertaking_id": key[0],
            "policy_id": key[1],
            "subscriber_id": subscriber_id,
            "number_id": number_id,
            "ticket_id": incident.ticket_id,
            "party_id": incident.party_id,
            "unit_id": incident.subscriber_unit_id,
            "cost_centre": incident.cost_centre,
            "explanation": explanation,
            "amount_fen": explanation["amount_fen"],
            "occurred_on": incident.occurred_on,
        }

    def _promise_for(
        self, incident: CreditableIncident, subscriber_id: int
    ) -> tuple[Promise, PromiseKey, CreditNature]:
        """Return the undertaking that covers the call, else the policy, else the undertaking that misses it."""
        own = self.undertakings.get(subscriber_id, [])
        for undertaking in own:
            if _covers(undertaking, incident):
                return _terms(undertaking, undertaking.reference), (undertaking.id, None), undertaking.nature
        for policy in self.policies:
            if _covers(policy, incident):
                return _terms(policy, policy.code), (None, policy.id), policy.nature
        if own:
            # Its own refusal says on which side of the period the call lies.
            nearest = own[0]
            return _terms(nearest, nearest.reference), (nearest.id, None), nearest.nature
        raise NothingOwedError(N_("No undertaking and no policy was in force at the time of this call"))

    def write(self) -> None:
        """Insert what was taken in, with ids, references and labels."""
        if not self.rows:
            return
        _insert_credits(self.session, self.rows, self.labels, self.actor_id)


def _owed_to(incident: CreditableIncident) -> tuple[int, int]:
    """Return (subscriber id, number id) of who is owed, or refuse."""
    if not incident.is_proven:
        raise NothingOwedError(N_("No offence is proven for this incident yet"))
    if incident.credit_reference is not None:
        raise ConflictError(N_("This call is already credited by %(reference)s"), reference=incident.credit_reference)
    if incident.number_id is None:
        raise NothingOwedError(N_("No subscriber is known for this incident: nobody can be credited"))
    if incident.subscriber_id is None:
        raise NothingOwedError(N_("Nobody is registered as holder of the number at the time of this call"))
    if incident.subscriber_unit_id is None:
        raise NothingOwedError(N_("The subscriber's branch is not registered: nobody would bear the expense"))
    return incident.subscriber_id, incident.number_id


def _covers(promise: Undertaking | CompensationPolicy, incident: CreditableIncident) -> bool:
    ended = promise.ends_at is not None and incident.occurred_at >= promise.ends_at
    return promise.starts_at <= incident.occurred_at and not ended


def _terms(promise: Undertaking | CompensationPolicy, reference: str) -> Promise:
    return Promise(
        reference=reference,
        starts_at=promise.starts_at,
        ends_at=promise.ends_at,
        per_call_fen=promise.per_call_fen,
        call_unit=promise.call_unit,
        calls_per_day_max=promise.calls_per_day_max,
    )


def propose_lump(session: Session, undertaking_id: int, *, actor_id: int, ticket_id: int | None = None) -> int:
    """Propose the lump sum for history of an undertaking, once, and return the credit's id.

    Source: docs/rules.md, C-2.

    Raises:
        NothingOwedError: if the undertaking is not agreed, or promises no lump sum.
        LumpAlreadyGrantedError: if it was proposed or granted before, naming it.
    """
    undertaking = session.get(Undertaking, undertaking_id, with_for_update=True)
    if undertaking is None:
        raise NotFoundError
    if undertaking.state is PromiseState.DRAFT or undertaking.lump_fen == 0:
        raise NothingOwedError(N_("This undertaking promises no lump sum that is in force"))
    before = session.scalar(
        select(Credit.reference).where(
            Credit.undertaking_id == undertaking_id,
            Credit.kind == CreditKind.LUMP,
            Credit.state.in_(LIVE_CREDIT_STATES),
        )
    )
    if before is not None:
        raise LumpAlreadyGrantedError(reference=before)
    return _insert_credits(session, [_lump_row(session, undertaking, ticket_id)], AccountingLabels(session), actor_id)[
        0
    ]


def _lump_row(session: Session, undertaking: Undertaking, ticket_id: int | None) -> dict[str, Any]:
    bearer = bearer_of(session, undertaking.subscriber_id)
    if bearer.unit_id is None:
        raise NothingOwedError(N_("The subscriber's branch is not registered: nobody would bear the expense"))
    return {
        "kind": CreditKind.LUMP,
        "nature": undertaking.nature,
        "incident_id": None,
        "undertaking_id": undertaking.id,
        "policy_id": None,
        "subscriber_id": undertaking.subscriber_id,
        "number_id": undertaking.number_id,
        "ticket_id": ticket_id or undertaking.ticket_id,
        "party_id": None,
        "unit_id": bearer.unit_id,
        "cost_centre": bearer.cost_centre,
        "explanation": {"rule": "C-2", "promise": undertaking.reference, "amount_fen": undertaking.lump_fen},
        "amount_fen": undertaking.lump_fen,
        "occurred_on": clock.china_day(undertaking.starts_at),
    }


def _insert_credits(session: Session, rows: list[dict[str, Any]], labels: AccountingLabels, actor_id: int) -> list[int]:
    ids = reserve_ids(session, Credit.__table__, len(rows))
    now = clock.now()
    for credit_id, row in zip(ids, rows, strict=True):
        label = labels.of(row["nature"], ContractDirection.INTERNAL, row["occurred_on"])
        row |= {
            "id": credit_id,
            "reference": f"PC{clock.china_day(now):%Y%m}-{credit_id:06d}",
            "tax_label": label.tax_label,
            "gl_account_code": label.gl_account_code,
            "period": clock.month_of(row["occurred_on"]),
            "state": CreditState.PROPOSED,
            "maker_id": actor_id,
            "proposed_at": now,
        }
        row["content_sha256"] = credit_content_sha256(row)
    session.execute(insert(Credit), rows)
    record_event(
        session,
        actor_id=actor_id,
        action="credits.proposed",
        subject="credit",
        subject_id=ids[0] if len(ids) == 1 else None,
        changes={"credit_ids": ids, "total_fen": sum(row["amount_fen"] for row in rows)},
    )
    return ids


def credit_content_sha256(row: dict[str, Any]) -> str:
    """Return the hash of what an approver is shown of a credit; approval compares it."""
    shown = [
        str(row[name])
        for name in ("reference", "kind", "nature", "subscriber_id", "incident_id", "undertaking_id", "amount_fen")
    ]
    shown.append(json.dumps(row["explanation"], sort_keys=True, ensure_ascii=True))
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()
