"""Cautions: what the second person reads and ticks before a rule version is put into force; none of them blocks."""

import datetime as dt
from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.contracts.models import Contract, RuleState, RuleVersion
from supervise.contracts.rule_versions import activate_rule, refuse_clauses
from supervise.contracts.rules import UnsupportedRuleError, highest_fen, parse_parameters
from supervise.errors import ConflictError, NotFoundError
from supervise.labels import N_, _
from supervise.money import format_yuan

#: An offence that costs more is more likely a slip of the pen than a price (1,000,000 yuan).
ABSURD_FEN = 100_000_000
_ONE_DAY = dt.timedelta(days=1)


class UntickedCautionError(ConflictError):
    """A warning was not ticked, or came up after the page was shown."""

    message = N_("Read the warnings about this rule and tick each of them")


class Caution(NamedTuple):
    """One point: *code* names it together with its figures, so that a tick is worth what was read."""

    code: str
    words: str


class Gap(NamedTuple):
    """Days on which nothing prices an offence, half-open; *until* None: without an end."""

    since: dt.date
    until: dt.date | None


def cautions_about(session: Session, rule: RuleVersion) -> list[Caution]:
    """Return what speaks against putting the draft *rule* into force as it stands, in the current locale."""
    cautions = []
    most_fen = highest_fen(parse_parameters(rule.parameters))
    if most_fen > ABSURD_FEN:
        words = _("One offence could cost %(amount)s yuan before caps.", amount=format_yuan(most_fen))
        cautions.append(Caution(f"amount:{most_fen}", words))
    gaps = gaps_beside(session, rule)
    return cautions + [Caution(f"gap:{gap.since}:{gap.until or ''}", _gap_in_words(gap)) for gap in gaps]


def obstacle_to(rule: RuleVersion, contract: Contract) -> str | None:
    """Return why *rule* cannot be put into force as it stands; None: its clauses can be computed."""
    try:
        refuse_clauses(contract, parse_parameters(rule.parameters))
    except UnsupportedRuleError as error:
        return str(error)
    return None


def activate_with_cautions(
    session: Session, rule_id: int, shown_sha256: str, ticked: Collection[str], *, actor_id: int
) -> RuleVersion:
    """Put a drafted version into force (``activate_rule``) once every warning about it was ticked.

    Raises:
        UntickedCautionError: if one was not.
    """
    contract_id = session.scalar(select(RuleVersion.contract_id).where(RuleVersion.id == rule_id))
    if contract_id is None:
        raise NotFoundError
    # The row that activation locks: the rules beside this one stay as the warnings were read from them.
    session.get_one(Contract, contract_id, with_for_update={"key_share": True})
    rule = session.get_one(RuleVersion, rule_id, populate_existing=True)
    codes = [one.code for one in cautions_about(session, rule)] if rule.state is RuleState.DRAFT else []
    if not set(codes) <= set(ticked):
        raise UntickedCautionError
    return activate_rule(session, rule_id, shown_sha256, actor_id=actor_id, warnings=codes)


def gaps_beside(session: Session, rule: RuleVersion) -> list[Gap]:
    """Return the days of the contract on which *rule*'s offence would have no price, though on other days it has one.

    A rule for any offence prices the days of a particular one too.
    """
    contract = session.get_one(Contract, rule.contract_id)
    others = select(RuleVersion).where(
        RuleVersion.contract_id == rule.contract_id, RuleVersion.id != rule.id, RuleVersion.state != RuleState.DRAFT
    )
    any_type = RuleVersion.offence_code.is_(None)
    if rule.offence_code is not None:
        others = others.where(or_(any_type, RuleVersion.offence_code == rule.offence_code))
    else:
        others = others.where(any_type)
    periods = [(rule.valid_from, rule.valid_to)]
    for other in session.scalars(others):
        until = other.valid_to
        is_before = other.code == rule.code and (other.offence_code, other.priority) == (
            rule.offence_code,
            rule.priority,
        )
        if is_before and (until is None or until > rule.valid_from):
            until = rule.valid_from  # activation ends the version before
        periods.append((other.valid_from, until))
    return _uncovered(contract.starts_on, contract.ends_on, periods)


def _uncovered(
    starts_on: dt.date, ends_on: dt.date | None, periods: Iterable[tuple[dt.date, dt.date | None]]
) -> list[Gap]:
    gaps = []
    day = starts_on
    for since, until in sorted(periods, key=lambda period: period[0]):
        if ends_on is not None and since >= ends_on:
            break
        if since > day:
            gaps.append(Gap(day, since))
        if until is None:
            return gaps
        day = max(day, until)
    if ends_on is None or day < ends_on:
        gaps.append(Gap(day, ends_on))
    return gaps


def _gap_in_words(gap: Gap) -> str:
    if gap.until is None:
        return _("From %(since)s on no rule prices this offence.", since=gap.since)
    return _("From %(since)s to %(last)s no rule prices this offence.", since=gap.since, last=gap.until - _ONE_DAY)
