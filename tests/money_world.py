"""Money rows for the world of ``tests.authorisation``: of the branch, of the partner, and of strangers to both."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.compensation.models import CreditBatch, PromiseState
from supervise.contracts.agreements import draft_contract
from supervise.contracts.rule_versions import draft_rule
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope
from supervise.penalties.adjustment_models import Adjustment, AdjustmentKind
from supervise.penalties.models import ReversalRequest, Waiver, WaiverReason
from supervise.penalties.notice_queries import notice_of_penalty
from supervise.penalties.objections import file_objection
from tests.factories.attribution import make_proven_incident
from tests.factories.compensation import make_policy, make_undertaking
from tests.factories.complaints import make_subscriber
from tests.factories.contracts import contract_terms, make_amendment, make_contract, make_paper, make_rule, rule_draft
from tests.factories.ledger import make_period
from tests.factories.parties import unit_party
from tests.factories.penalties import approve_all, make_objection_file, propose

DRAFTER = 931


class MoneyIds(NamedTuple):
    """Keys of one row of each kind; lists are for branch, other branch, partner, other partner."""

    penalties: list[int]
    objections: list[int]
    notices: list[int]
    objection_files: list[int]
    reversal_request: int
    waiver: int
    adjustment: int
    batch: int
    contract: int
    amendment: int
    paper: int
    rule: int
    undertaking: int
    subscriber: int
    policy: int


def make_money(session: Session, *, units: Sequence[OrgUnit], partners: Sequence[Party], finance: User) -> MoneyIds:
    """Charge each of two branches and two partners, and make the rows that everybody of compliance sees alike."""
    make_period(session)
    for unit in units:
        make_rule(session, contract=make_contract(session, party=None, unit=unit))
    for partner in partners:
        in_force = make_contract(session, party=partner, unit=units[0])
        make_rule(session, contract=in_force)
    charged = [*(unit_party(session, unit) for unit in units), *partners]
    penalties = [_charge(session, party, caller=f"1380000{place:04d}") for place, party in enumerate(charged)]
    objections = [
        file_objection(session, penalty_id, "号码当日已停用", Scope.everything(), actor_id=DRAFTER).id
        for penalty_id in penalties
    ]
    draft = draft_contract(session, contract_terms(party=partners[0], unit=units[0]), actor_id=DRAFTER)
    subscriber = make_subscriber(session, unit=units[0])
    return MoneyIds(
        penalties=penalties,
        objections=objections,
        objection_files=[make_objection_file(session, objection_id).id for objection_id in objections],
        notices=[_notice(session, penalty_id) for penalty_id in penalties],
        reversal_request=_reversal(session, penalties[0], finance.id),
        waiver=_waiver(session, penalties[0]),
        adjustment=_adjustment(session, penalties[0], penalties[1]),
        batch=_batch(session, finance.id),
        contract=draft.id,
        amendment=make_amendment(session, contract=in_force).id,
        paper=make_paper(session, contract=draft).id,
        rule=draft_rule(session, draft.id, rule_draft(), actor_id=DRAFTER).id,
        undertaking=make_undertaking(session, subscriber=subscriber, state=PromiseState.DRAFT).id,
        subscriber=subscriber.id,
        policy=make_policy(session, state=PromiseState.DRAFT).id,
    )


def _charge(session: Session, party: Party, *, caller: str) -> int:
    [penalty] = propose(session, make_proven_incident(session, party=party, caller_number=caller))
    [result] = approve_all(session, penalty)
    assert result.refusal is None, result.refusal
    return penalty.id


def _notice(session: Session, penalty_id: int) -> int:
    notice = notice_of_penalty(session, penalty_id)
    assert notice is not None
    return notice.id


def _reversal(session: Session, penalty_id: int, proposer_id: int) -> int:
    request = ReversalRequest(
        entry_id=1,
        penalty_id=penalty_id,
        amount_fen=100_00,
        reason="booked twice",
        proposed_by=proposer_id,
        proposed_at=clock.now(),
    )
    session.add(request)
    session.flush()
    return request.id


def _waiver(session: Session, penalty_id: int) -> int:
    waiver = Waiver(
        penalty_id=penalty_id,
        amount_fen=100_00,
        because=WaiverReason.OTHER,
        reason="settled amicably",
        proposed_by=DRAFTER,
        proposed_at=clock.now(),
    )
    session.add(waiver)
    session.flush()
    return waiver.id


def _adjustment(session: Session, penalty_id: int, cause_id: int) -> int:
    adjustment = Adjustment(
        penalty_id=penalty_id,
        cause_id=cause_id,
        kind=AdjustmentKind.TIER,
        amount_fen=100_00,
        nth_before=2,
        nth_now=1,
        found_at=clock.now(),
    )
    session.add(adjustment)
    session.flush()
    return adjustment.id


def _batch(session: Session, maker_id: int) -> int:
    batch = CreditBatch(
        number="PCPC202611-9001",
        period="2026-11",
        lines_total=1,
        total_fen=50_00,
        rows_sha256="0" * 64,
        anchor="",
        locale="zh_Hans",
        frozen_by=maker_id,
        frozen_at=clock.now(),
    )
    session.add(batch)
    session.flush()
    return batch.id
