"""Proposing penalties: proven offences priced by the rule in force at the call, each amount with its explanation."""

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among, insert_rows, uncollected
from supervise.complaints.models import Incident
from supervise.contracts.accounting import NATURE_ASSESSMENT, NATURE_DAMAGES, AccountingLabels
from supervise.contracts.models import Contract, ContractDirection, RuleVersion
from supervise.contracts.rule_versions import mark_priced
from supervise.contracts.rules import RuleParameters, ShareMode, content_sha256, parse_parameters
from supervise.db import reserve_ids
from supervise.errors import AlreadyDecidedError, ConflictError, NotFoundError, RefusalError, RowResult
from supervise.labels import N_
from supervise.money import split_by_largest_remainder
from supervise.penalties.cases import Bearer, Case, PricedFinding, load_cases
from supervise.penalties.history import add_past, load_offences, load_units, past_amounts
from supervise.penalties.models import LIVE_PENALTY_STATES, Penalty, PenaltyFamily, PenaltyState
from supervise.penalties.month_cases import any_threshold, counted_with
from supervise.penalties.monthly_figures import known_figures
from supervise.penalties.pricing import Charge, History, Portion, Spared, adds_up, price_calls, require_known, share_out
from supervise.penalties.spare_queries import spared_among
from supervise.penalties.steps import record_steps, return_stale

#: What of a row an approver is shown, and approval compares.
_SHOWN = (
    "reference",
    "finding_id",
    "offence_code",
    "family",
    "party_id",
    "contract_id",
    "rule_version_id",
    "gross_fen",
    "capped_fen",
    "amount_fen",
    "loss_basis_fen",
    "nature",
    "direction",
    "tax_label",
    "gl_account_code",
    "cost_centre",
    "explanation",
)


class AlreadyChargedError(ConflictError):
    """Only one offence type of a call is charged, and one is."""

    message = N_("%(reference)s already charges another offence of this call; return or reverse it first")


class SparedCallError(ConflictError):
    """Somebody decided that nobody is charged for it."""

    message = N_("The call is spared; bring it back first")


def propose_penalties(session: Session, incident_ids: Sequence[int], *, actor_id: int) -> list[RowResult]:
    """Price the proven findings of each incident; return a result for every id, in order.

    What cannot be priced (no rule, two rules, nobody to pay, nothing proven, a figure that is not recorded) is refused
    by name and stays a task; so is a call that costs nothing, with the reason. Proposals whose finding was overturned
    meanwhile are returned. A threshold counts a month: the other calls of that contract and month that are due now are
    proposed with it, whoever asked for one of them. Source: docs/rules.md, P-1 to P-9.
    """
    ids = list(dict.fromkeys(incident_ids))
    with uncollected():
        refusals = _considered(session, ids, actor_id)
    return [RowResult(one, refusals[one] if one in refusals else NotFoundError()) for one in ids]


def _considered(session: Session, ids: Sequence[int], actor_id: int) -> dict[int, RefusalError | None]:
    """Propose what can be priced; return for each known incident why not, or None."""
    known = _lock_incidents(session, [*ids, *_due_with(session, ids)])
    return_stale(session, known, actor_id=actor_id)
    proposer = _Proposer(session, load_cases(session, known), actor_id)
    refusals: dict[int, RefusalError | None] = {one: proposer.consider(one) for one in known}
    return refusals | proposer.write()


def _due_with(session: Session, ids: Sequence[int]) -> Collection[int]:
    """Return the incidents that a threshold prices together with *ids*."""
    if not any_threshold(session):
        return ()
    return counted_with(session, load_cases(session, ids, lock=False).values()).keys()


def _lock_incidents(session: Session, ids: Sequence[int]) -> set[int]:
    # Two proposals for one call must see each other; in the order of ids, as every decision locks incidents.
    query = select(Incident.id).where(among(session, Incident.id, list(ids))).order_by(Incident.id)
    return set(session.scalars(query.with_for_update(key_share=True)))


class _Proposer:
    """Decides on incidents in memory, prices those that pass together, and writes all rows at once."""

    def __init__(self, session: Session, cases: dict[int, Case | RefusalError], actor_id: int) -> None:
        self.session = session
        self.cases = cases
        self.actor_id = actor_id
        self.labels = AccountingLabels(session)
        self.charged = _live_by_incident(session, list(cases))
        self.to_price: dict[int, tuple[Case, PricedFinding]] = {}
        proven = [found.offence for case in cases.values() if isinstance(case, Case) for found in case.findings]
        self.history = History(figures=known_figures(session, proven))
        # Charged, spared or not: a case is a case.
        self.history.add_cases(proven)
        self.spared = spared_among(session, [offence.finding_id for offence in proven])

    def consider(self, incident_id: int) -> RefusalError | None:
        """Take the incident's findings in, or return why not."""
        case = self.cases[incident_id]
        if isinstance(case, RefusalError):
            return case
        charged = self.charged.get(incident_id, [])
        covered = {penalty.finding_id for penalty, _version in charged}
        open_ = [found for found in case.findings if found.offence.finding_id not in covered]
        fresh = [found for found in open_ if found.offence.finding_id not in self.spared]
        if not fresh:
            return SparedCallError() if open_ else AlreadyDecidedError()
        parameters = [parse_parameters(version.parameters) for _penalty, version in charged]
        if charged and not adds_up([*parameters, *(found.offence.rule.parameters for found in fresh)]):
            return AlreadyChargedError(reference=charged[0][0].reference)
        try:
            for found in fresh:
                require_known(found.offence, self.history)
                for bearer in found.bearers:
                    self._label(bearer, found.offence.occurred_on)
        except RefusalError as refusal:
            return refusal
        self.to_price |= {found.offence.finding_id: (case, found) for found in fresh}
        return None

    def write(self) -> dict[int, RefusalError]:
        """Price what was taken in, in the order of calls, and write the rows; return why calls cost nothing."""
        offences = [found.offence for _case, found in self.to_price.values()]
        load_offences(self.session, self.history, offences, LIVE_PENALTY_STATES)
        load_units(self.session, self.history, offences)
        for past in past_amounts(self.session, offences):
            add_past(self.history, past)
        outcomes = price_calls(offences, self.history)
        rows = [row for outcome in outcomes if isinstance(outcome, Charge) for row in self._rows(outcome)]
        if rows:
            self._insert(rows)
            self._mark_priced(rows)
        charged = {row["incident_id"] for row in rows} | self.charged.keys()
        return {
            outcome.offence.incident_id: outcome.why
            for outcome in outcomes
            if isinstance(outcome, Spared) and outcome.offence.incident_id not in charged
        }

    def _rows(self, charge: Charge) -> list[dict[str, Any]]:
        case, found = self.to_price[charge.offence.finding_id]
        portions = share_out(charge, [bearer.party_id for bearer in found.bearers])
        bearers = {bearer.party_id: bearer for bearer in found.bearers}
        losses = split_by_largest_remainder(case.loss_fen, [portion.gross_fen for portion in portions])
        return [
            self._row(case, found, portion, bearers[portion.party_id], loss_fen)
            for portion, loss_fen in zip(portions, losses, strict=True)
        ]

    def _row(self, case: Case, found: PricedFinding, portion: Portion, bearer: Bearer, loss_fen: int) -> dict[str, Any]:
        offence = found.offence
        nature, direction = _nature(bearer.contract)
        label = self.labels.of(nature, direction, offence.occurred_on)
        payer = {
            "because": "policy" if case.payer.is_policy else "contract",
            "party_id": case.payer.party_id,
            "contract": f"{found.contract.number} {found.contract.name}",
        }
        return {
            "finding_id": offence.finding_id,
            "incident_id": offence.incident_id,
            "offence_code": offence.code,
            "family": PenaltyFamily.INTERNAL if bearer.contract is None else PenaltyFamily.EXTERNAL,
            "party_id": portion.party_id,
            "unit_id": case.unit_id,
            "contract_id": found.contract.id,
            "rule_version_id": offence.rule.version_id,
            "gross_fen": portion.gross_fen,
            "capped_fen": portion.capped_fen,
            "amount_fen": portion.gross_fen - portion.capped_fen,
            "loss_basis_fen": loss_fen,
            "nature": nature,
            "direction": direction,
            "tax_label": label.tax_label,
            "gl_account_code": label.gl_account_code,
            "cost_centre": case.cost_centre,
            "explanation": {**portion.explanation, "payer": payer, "loss_basis_fen": loss_fen},
            "tier_step": _tier_step(portion, offence.rule.parameters),
            "is_joint": portion.explanation["share"] is not None
            and portion.explanation["share"]["mode"] == ShareMode.JOINT.value,
            "occurred_on": offence.occurred_on,
            "period": clock.month_of(offence.occurred_on),
        }

    def _label(self, bearer: Bearer, on: dt.date) -> None:
        self.labels.of(*_nature(bearer.contract), on)

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        ids = reserve_ids(self.session, Penalty.__table__, len(rows))
        now = clock.now()
        for penalty_id, row in zip(ids, rows, strict=True):
            row |= {
                "id": penalty_id,
                "reference": f"KF{clock.china_day(now):%Y%m}-{penalty_id:06d}",
                "state": PenaltyState.PROPOSED,
                "maker_id": self.actor_id,
                "proposed_at": now,
                "lifted_fen": 0,
                "settled_fen": 0,
                "written_off_fen": 0,
                "version": 1,
            }
            row["content_sha256"] = content_sha256({name: row[name] for name in _SHOWN})
        insert_rows(self.session, Penalty.__table__, rows)
        record_steps(self.session, ids, PenaltyState.PROPOSED, actor_id=self.actor_id)
        record_event(
            self.session,
            actor_id=self.actor_id,
            action="penalties.proposed",
            subject="penalty",
            subject_id=ids[0] if len(ids) == 1 else None,
            changes={"penalty_ids": ids, "total_fen": sum(row["amount_fen"] for row in rows)},
        )

    def _mark_priced(self, rows: list[dict[str, Any]]) -> None:
        days: dict[int, dt.date] = {}
        for row in rows:
            known = days.setdefault(row["rule_version_id"], row["occurred_on"])
            days[row["rule_version_id"]] = max(known, row["occurred_on"])
        mark_priced(self.session, days)


def _tier_step(portion: Portion, parameters: RuleParameters) -> int:
    tier, tiers = portion.explanation["tier"], parameters.tiers
    if tier is None or tiers is None:
        return 0
    return sum(step.from_count <= tier["nth"] for step in tiers.steps)


def _nature(contract: Contract | None) -> tuple[str, ContractDirection]:
    if contract is None:
        return NATURE_ASSESSMENT, ContractDirection.INTERNAL
    return NATURE_DAMAGES, contract.direction


def _live_by_incident(session: Session, incident_ids: Sequence[int]) -> dict[int, list[tuple[Penalty, RuleVersion]]]:
    query = (
        select(Penalty, RuleVersion)
        .join(RuleVersion, RuleVersion.id == Penalty.rule_version_id)
        .where(among(session, Penalty.incident_id, list(incident_ids)), Penalty.state.in_(LIVE_PENALTY_STATES))
        .order_by(Penalty.id)
    )
    live: dict[int, list[tuple[Penalty, RuleVersion]]] = {}
    for penalty, version in session.execute(query):
        live.setdefault(penalty.incident_id, []).append((penalty, version))
    return live
