"""Dated prices: drafted by one person, activated by another, then never edited and never back-dated once used."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.models import OffenceType
from supervise.contracts.models import Contract, ContractDirection, RuleState, RuleVersion
from supervise.contracts.rules import (
    RuleParameters,
    content_sha256,
    parse_parameters,
    refuse_in_a_policy,
    refuse_what_cannot_be_computed,
)
from supervise.errors import AlreadyDecidedError, ConflictError, InvalidInputError, NotFoundError, SamePersonError
from supervise.labels import N_


class BackDatedRuleError(ConflictError):
    """Calls were priced on or after the day on which the new version would begin."""

    message = N_("%(rule)s has priced a call of %(day)s; a new version must begin after that day")


class OverlappingRuleError(ConflictError):
    """Two prices of one priority for the same offence and day (constraint of migration 0005)."""

    message = N_("%(rule)s already sets this price in that period; end it or give another priority")


@dataclass(frozen=True)
class RuleDraft:
    """A price as a person drafts it; *parameters* as ``contracts.rules`` parses them."""

    code: str
    offence_code: str | None
    priority: int
    parameters: Mapping[str, Any]
    valid_from: dt.date
    valid_to: dt.date | None


def draft_rule(session: Session, contract_id: int, draft: RuleDraft, *, actor_id: int) -> RuleVersion:
    """Draft the next version of rule *draft.code* in a contract or policy.

    Raises:
        RuleParametersError: if the parameters are no rule.
        InvalidInputError: for an unknown offence type or an impossible period.
        ConflictError: if the code names a rule of another contract.
    """
    # The row lock numbers versions one after the other.
    contract = session.get(Contract, contract_id, with_for_update={"key_share": True})
    if contract is None:
        raise NotFoundError
    _check(session, contract, draft)
    last = session.scalar(select(func.max(RuleVersion.number)).where(RuleVersion.code == draft.code))
    rule = RuleVersion(number=(last or 0) + 1, contract_id=contract_id, drafted_by=actor_id, **_columns(draft))
    session.add(rule)
    session.flush()  # the audit event names the row's id
    _record(session, rule, "rule.drafted", actor_id)
    return rule


def edit_rule_draft(
    session: Session, rule_id: int, shown_sha256: str, draft: RuleDraft, *, actor_id: int
) -> RuleVersion:
    """Change a draft; who edits it last counts as its maker.

    Raises:
        AlreadyDecidedError: if it is no draft any more, or says something else than was shown.
        RuleParametersError: if the parameters are no rule.
    """
    rule = _locked_draft(session, rule_id, shown_sha256)
    if draft.code != rule.code:
        raise InvalidInputError(N_("A version keeps the code of its rule"))
    contract = session.get_one(Contract, rule.contract_id)
    _check(session, contract, draft)
    for name, value in _columns(draft).items():
        setattr(rule, name, value)
    rule.drafted_by = actor_id
    session.flush()
    _record(session, rule, "rule.edited", actor_id)
    return rule


def activate_rule(
    session: Session, rule_id: int, shown_sha256: str, *, actor_id: int, warnings: Sequence[str] = ()
) -> RuleVersion:
    """Put a drafted version into force, as the second person; the version before it ends where this one begins.

    *warnings*: what was ticked about it (``contracts.cautions``), for the audit trail.

    Raises:
        AlreadyDecidedError: if it is no draft any more, or says something else than was shown.
        SamePersonError: if *actor_id* drafted it.
        UnsupportedRuleError: if the engine cannot compute a clause of it.
        BackDatedRuleError: if calls on or after its first day were priced by a rule that it would replace.
        OverlappingRuleError: if another rule sets the same price in that period.
    """
    contract_id = session.scalar(select(RuleVersion.contract_id).where(RuleVersion.id == rule_id))
    if contract_id is None:
        raise NotFoundError
    # Pricing locks the same row (penalties.propose): no call is priced while its price changes.
    contract = session.get_one(Contract, contract_id, with_for_update={"key_share": True})
    rule = _locked_draft(session, rule_id, shown_sha256)
    if rule.drafted_by == actor_id:
        raise SamePersonError
    refuse_clauses(contract, parse_parameters(rule.parameters))
    rivals = _rivals(session, rule)
    _refuse_back_dating(rule, rivals)
    _end_predecessors(session, rule, rivals)
    rule.state = RuleState.ACTIVE
    rule.activated_by = actor_id
    rule.activated_at = clock.now()
    session.flush()  # the database's own refusal of an overlap belongs to this decision
    _record(session, rule, "rule.activated", actor_id, warnings=warnings)
    return rule


def refuse_clauses(contract: Contract, parameters: RuleParameters) -> None:
    """Refuse a rule that could not be put into force under *contract*, whoever wants to.

    Raises:
        UnsupportedRuleError: naming the clause.
    """
    refuse_what_cannot_be_computed(parameters)
    if contract.direction is ContractDirection.INTERNAL:
        refuse_in_a_policy(parameters)


def retire_rule(session: Session, rule_id: int, valid_to: dt.date, *, reason: str, actor_id: int) -> RuleVersion:
    """End an active version without a successor; *valid_to* is the day after its last.

    Raises:
        AlreadyDecidedError: if it is not active.
        BackDatedRuleError: if it has priced a call on or after that day.
        InvalidInputError: without a reason, or for a day that is not inside its period.
    """
    rule = session.get(RuleVersion, rule_id, with_for_update={"key_share": True}, populate_existing=True)
    if rule is None:
        raise NotFoundError
    if rule.state is not RuleState.ACTIVE:
        raise AlreadyDecidedError
    if not reason.strip():
        raise InvalidInputError(N_("Give a reason"))
    if valid_to <= rule.valid_from or (rule.valid_to is not None and valid_to > rule.valid_to):
        raise InvalidInputError(N_("The end must lie inside the period of the rule"))
    _refuse_end(rule, valid_to)
    rule.valid_to = valid_to
    rule.state = RuleState.RETIRED
    session.flush()
    _record(session, rule, "rule.retired", actor_id, reason=reason)
    return rule


def mark_priced(session: Session, days: Mapping[int, dt.date]) -> None:
    """Note the day of the latest call that each version (by id) has priced; from now on it is used.

    Called by whoever prices, in its transaction; the caller holds the contract's row.
    """
    rules_of_day: dict[dt.date, list[int]] = {}
    for rule_id, day in sorted(days.items()):
        rules_of_day.setdefault(day, []).append(rule_id)
    for day, rule_ids in rules_of_day.items():
        session.execute(
            update(RuleVersion)
            .where(RuleVersion.id.in_(rule_ids), RuleVersion.priced_on.is_(None) | (RuleVersion.priced_on < day))
            .values(priced_on=day)
        )


def shown(rule: RuleVersion) -> str:
    """Return the SHA-256 of what a page shows of *rule*: the lock of its forms."""
    return content_sha256(
        {
            "parameters": rule.parameters,
            "offence": rule.offence_code,
            "priority": rule.priority,
            "from": rule.valid_from.isoformat(),
            "to": rule.valid_to.isoformat() if rule.valid_to else None,
        }
    )


def _columns(draft: RuleDraft) -> dict[str, Any]:
    return {
        "code": draft.code,
        "offence_code": draft.offence_code,
        "priority": draft.priority,
        "parameters": dict(draft.parameters),
        "content_sha256": content_sha256(draft.parameters),
        "valid_from": draft.valid_from,
        "valid_to": draft.valid_to,
    }


def _check(session: Session, contract: Contract, draft: RuleDraft) -> None:
    parse_parameters(draft.parameters)
    if not draft.code.strip():
        raise InvalidInputError(N_("Enter a code"))
    if draft.valid_to is not None and draft.valid_to <= draft.valid_from:
        raise InvalidInputError(N_("The end must lie after the start"))
    if draft.valid_from < contract.starts_on:
        raise InvalidInputError(N_("A rule cannot begin before its contract"))
    known = select(OffenceType.id).where(OffenceType.code == draft.offence_code)
    if draft.offence_code is not None and session.scalar(known.limit(1)) is None:
        raise InvalidInputError(N_("There is no offence type %(code)s"), code=draft.offence_code)
    foreign = select(RuleVersion.id).where(RuleVersion.code == draft.code, RuleVersion.contract_id != contract.id)
    if session.scalar(foreign.limit(1)) is not None:
        raise ConflictError(N_("The code %(code)s is taken"), code=draft.code)


def _locked_draft(session: Session, rule_id: int, shown_sha256: str) -> RuleVersion:
    rule = session.get(RuleVersion, rule_id, with_for_update={"key_share": True}, populate_existing=True)
    if rule is None:
        raise NotFoundError
    if rule.state is not RuleState.DRAFT or shown(rule) != shown_sha256:
        raise AlreadyDecidedError
    return rule


def _rivals(session: Session, rule: RuleVersion) -> list[RuleVersion]:
    """Return the live rules of the contract whose calls *rule* would price instead: a particular rule wins."""
    query = select(RuleVersion).where(
        RuleVersion.contract_id == rule.contract_id,
        RuleVersion.id != rule.id,
        RuleVersion.state != RuleState.DRAFT,
        RuleVersion.valid_to.is_(None) | (RuleVersion.valid_to > rule.valid_from),
    )
    if rule.valid_to is not None:
        query = query.where(RuleVersion.valid_from < rule.valid_to)
    any_type = RuleVersion.offence_code.is_(None)
    same_type = RuleVersion.offence_code == rule.offence_code
    query = query.where(any_type if rule.offence_code is None else any_type | same_type)
    return list(session.scalars(query.order_by(RuleVersion.id)))


def _refuse_back_dating(rule: RuleVersion, rivals: list[RuleVersion]) -> None:
    for rival in rivals:
        _refuse_end(rival, rule.valid_from)


def _refuse_end(rule: RuleVersion, day: dt.date) -> None:
    # The same is a CHECK of the table, not_back_dated.
    if rule.priced_on is not None and rule.priced_on >= day:
        raise BackDatedRuleError(rule=f"{rule.code} v{rule.number}", day=rule.priced_on.isoformat())


def _end_predecessors(session: Session, rule: RuleVersion, rivals: list[RuleVersion]) -> None:
    for rival in rivals:
        if (rival.offence_code, rival.priority) != (rule.offence_code, rule.priority):
            continue  # another price: the more particular, then the higher priority wins
        if rival.code != rule.code or rival.valid_from >= rule.valid_from:
            raise OverlappingRuleError(rule=f"{rival.code} v{rival.number}")
        rival.valid_to = rule.valid_from
        rival.state = RuleState.RETIRED
    session.flush()


def _record(
    session: Session,
    rule: RuleVersion,
    action: str,
    actor_id: int,
    *,
    reason: str | None = None,
    warnings: Sequence[str] = (),
) -> None:
    noted = {"warnings": list(warnings)} if warnings else {}
    record_event(
        session,
        actor_id=actor_id,
        action=action,
        subject="rule_version",
        subject_id=rule.id,
        changes={"code": rule.code, "number": rule.number, "content_sha256": rule.content_sha256} | noted,
        reason=reason,
    )
