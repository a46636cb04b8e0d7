"""Each check finds a fault that was planted past the triggers, and is silent on sound rows."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.compensation.batches import LineOutcome, freeze_batch, mark_lines
from supervise.compensation.models import CreditBatchLine, CreditState
from supervise.db import Database
from supervise.desk.consistency import CHECKS, NAMED_MAX, Check, Discrepancy, discrepancies
from supervise.evidence.models import RecordKind
from supervise.parties.scope import Scope
from supervise.penalties.models import ObjectionState
from supervise.penalties.objections import decide_objection, file_objection
from tests.databases import opened
from tests.factories.attribution import make_proven_incident
from tests.factories.compensation import make_approved_credit, make_undertaking, make_victim
from tests.factories.complaints import CALLED_AT, KEYRING, make_subscriber
from tests.factories.penalties import (
    Charged,
    approve_all,
    make_charged_branch,
    make_charged_partner,
    make_supervisor,
    propose,
)
from tests.factories.records import write_records
from tests.factories.settlement import draft_run, make_deposit, make_due_recourse, make_final_penalty, posted
from tests.worlds import Worlds

FINANCE = 941

#: A recovery that nobody decided on, of a credit of 50 yuan; the places are its state, approver and what was paid.
RECOVERY = (
    "INSERT INTO recovery (reference, credit_id, incident_id, finding_id, party_id, contract_id, rule_version_id, base, "
    "paid_fen, recovery_bp, amount_fen, explanation, content_sha256, occurred_on, period, state, maker_id, proposed_at, "
    "approver_id, approved_at) VALUES ('ZC-1', (SELECT min(id) FROM credit), (SELECT min(id) FROM incident), "
    "(SELECT min(id) FROM finding), (SELECT min(id) FROM party), (SELECT min(id) FROM contract), "
    "(SELECT min(id) FROM rule_version), 'finding', {paid}, 10000, 1, '{{}}', '', '2026-11-01', '2026-11', '{state}', 1, "
    "'2026-11-01 00:00:00', {approver}, {at})"
)
#: What damages a sound database, by the check that must find it.
FAULTS = {
    "tickets_against_steps": (
        "INSERT INTO ticket_step (ticket_id, at, actor_id, to_state) "
        "SELECT min(id), '2026-11-01 00:00:00', 1, 'closed' FROM ticket"
    ),
    "incidents_against_tickets": "DELETE FROM ticket_incident WHERE incident_id = (SELECT min(id) FROM incident)",
    "verdicts_against_pointer": (
        "UPDATE incident_verdict SET verdict = 'insufficient' WHERE incident_id = (SELECT min(id) FROM incident)"
    ),
    "state_against_steps": "DELETE FROM penalty_step WHERE penalty_id = (SELECT min(id) FROM penalty)",
    "lifted_against_state": "UPDATE penalty SET lifted_fen = 1 WHERE state = 'proposed'",
    "charged_without_proof": (
        "UPDATE finding SET held = false WHERE id = (SELECT min(finding_id) FROM penalty WHERE state = 'approved')"
    ),
    "charged_though_spared": (
        "INSERT INTO spared_finding (finding_id, because, reason, spared_by, spared_at) "
        "SELECT min(finding_id), 'other', 'by hand', 1, '2026-11-01 00:00:00' FROM penalty WHERE state = 'approved'"
    ),
    "judged_by_their_approver": (
        "UPDATE penalty SET approver_id = (SELECT min(decided_by) FROM objection) "
        "WHERE id = (SELECT min(penalty_id) FROM objection)"
    ),
    "parties_against_ledger": "UPDATE penalty SET lifted_fen = 1 WHERE state = 'approved' AND family = 'external'",
    "units_against_ledger": "UPDATE penalty SET lifted_fen = 1 WHERE state = 'approved' AND family = 'internal'",
    "notices_against_lines": "UPDATE notice SET total_fen = total_fen + 1",
    "explained_otherwise": (
        "UPDATE penalty SET gross_fen = gross_fen + 1, amount_fen = amount_fen + 1 WHERE state = 'proposed'"
    ),
    "recoveries_against_ledger": RECOVERY.format(paid=1, state="approved", approver=2, at="'2026-11-01 00:00:00'"),
    "recoveries_beyond_paid": RECOVERY.format(paid=9_999_999, state="proposed", approver="NULL", at="NULL"),
    "claims_beyond_fine": "UPDATE regulator_fine SET amount_fen = 1",
    "claims_against_ledger": "UPDATE fine_recourse SET amount_fen = amount_fen + 1",
    "received_against_receipts": "UPDATE fine_recourse SET received_fen = received_fen - 1",
    "recovered_against_lines": (
        RECOVERY.format(paid=1, state="approved", approver=2, at="'2026-11-01 00:00:00', 1").replace(
            "approved_at)", "approved_at, settled_fen)"
        )
    ),
    "joint_payments_against_lines": (
        "INSERT INTO joint_payment (penalty_id, payer_id, amount_fen, returned_fen, because, at) "
        "SELECT min(id), min(party_id), 1, 0, 'by hand', '2026-11-01 00:00:00' FROM penalty"
    ),
    "settled_against_lines": "UPDATE penalty SET settled_fen = 1 WHERE state = 'approved' AND family = 'external'",
    "written_off_against_requests": (
        "UPDATE penalty SET written_off_fen = 1 WHERE state = 'approved' AND family = 'external'"
    ),
    "deposits_against_ledger": (
        "INSERT INTO deposit_movement (party_id, kind, amount_fen, evidence, effective_on, made_by, made_at) "
        "SELECT min(id), 'received', 1, 'by hand', '2026-11-01', 1, '2026-11-01 00:00:00' FROM party"
    ),
    "commissions_against_ledger": (
        "INSERT INTO commission_statement (contract_id, party_id, month, due_fen, deducted_fen, made_by, made_at) "
        "SELECT id, party_id, '2026-11', 1, 1, 1, '2026-11-01 00:00:00' FROM contract WHERE party_id IS NOT NULL"
    ),
    "refunds_against_ledger": (
        "INSERT INTO bank_movement (party_id, direction, amount_fen, bank_reference, effective_on, made_by, made_at) "
        "SELECT min(id), 'received', 1, 'by hand', '2026-11-01', 1, '2026-11-01 00:00:00' FROM party"
    ),
    "runs_against_settlements": "UPDATE settlement SET state = 'proposed'",
    "points_against_penalties": (
        "INSERT INTO points_entry (party_id, penalty_id, reason, points, on_day, expires_on, made_at) "
        "SELECT party_id, id, 'taken', 1, '2026-11-01', '2027-11-01', '2026-11-01 00:00:00' FROM penalty "
        "WHERE id = (SELECT min(id) FROM penalty)"
    ),
    "scores_against_figures": (
        "INSERT INTO scorecard (party_id, month, figures, score, standing, scheme_id, frozen_at) "
        "VALUES ((SELECT min(id) FROM party), '2026-10', '"
        '{"offences_per_calls": [1, 1000], "offences_per_orders": [0, 0], "after_refusal": [0, 1], '
        '"objections_lost": [0, 0], "late_answers": [0, 0], "repeat_subscribers": [0, 1]}'
        "', 100, 'good', (SELECT min(id) FROM score_scheme), '2026-11-11 00:00:00')"
    ),
    "credits_against_lines": "UPDATE credit SET state = 'batched' WHERE state = 'accepted'",
    "credits_against_calls": (
        "UPDATE credit SET number_id = (SELECT max(id) FROM subscriber_number) WHERE id = (SELECT min(id) FROM credit)"
    ),
    "batches_against_lines": "UPDATE credit_batch_line SET amount_fen = amount_fen + 1",
    "batches_against_ledger": "UPDATE credit_batch_line SET result = 'voided' WHERE result IS NULL",
    "imports_against_partitions": "UPDATE record_import SET rows_new = 2, rows_total = 2",
    "partitions_against_files": "UPDATE record_partition SET path = 'calls/gone.parquet' WHERE path IS NOT NULL",
    "subscribers_against_ledger": "UPDATE credit SET amount_fen = amount_fen + 1 WHERE state = 'approved'",
}


@pytest.fixture(scope="module")
def standing_database(worlds: Worlds) -> Iterator[Database]:
    with worlds.clone(make_sound) as clone, opened(clone.url) as database:
        yield database


@pytest.fixture
def sound(session: Session) -> Session:
    return session


def make_sound(session: Session) -> None:
    """Penalties and credits in most states, as decisions leave them."""
    for charged in (make_charged_partner(session), make_charged_branch(session)):
        make_penalties(session, charged)
    settled = make_charged_partner(session)
    make_final_penalty(session, charged=settled)
    make_due_recourse(session, charged=settled, amount_fen=100_00)
    make_deposit(session, charged=settled, amount_fen=500_00)
    posted(session, draft_run(session))
    make_credits(session)
    call = {"caller": "02566040001", "subscriber": "13912345678", "started_at": CALLED_AT}
    write_records(session, KEYRING, RecordKind.CALLS, [call])


def make_penalties(session: Session, charged: Charged) -> None:
    incidents = [make_proven_incident(session, party=charged.party) for _ in range(3)]
    approved, voided, _proposed = propose(session, *incidents)
    approve_all(session, approved, voided)
    objection = file_objection(session, voided.id, "号码当日已停用", Scope.everything(), actor_id=931)
    judge = make_supervisor(session, username="judge")
    decide_objection(session, objection.id, ObjectionState.UPHELD, note="属实", actor_id=judge.id)


def make_credits(session: Session) -> None:
    victim = make_victim(session)
    make_undertaking(session, subscriber=victim)
    make_subscriber(session)  # of another number
    ids = [
        make_approved_credit(session, subscriber=victim, occurred_at=CALLED_AT.replace(hour=hour)).id
        for hour in (1, 2, 3, 4)
    ]
    batch = freeze_batch(session, ids[:3], locale="zh_Hans", anchor="", actor_id=FINANCE)
    lines = session.scalars(sa.select(CreditBatchLine.id).order_by(CreditBatchLine.line)).all()
    outcomes = [LineOutcome(lines[0], None), LineOutcome(lines[1], "E01")]
    mark_lines(session, batch.id, outcomes, actor_id=FINANCE)


def damage(session: Session, statement: str) -> None:
    """Execute *statement* as somebody whom no trigger stops; all of it is rolled back with the session."""
    if session.get_bind().dialect.name == "sqlite":
        for name in session.scalars(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            session.execute(sa.text(f"DROP TRIGGER {name}"))
        session.execute(sa.text(statement))
        return
    session.execute(sa.text("SET LOCAL session_replication_role = replica"))
    session.execute(sa.text(statement))
    session.execute(sa.text("SET LOCAL session_replication_role = origin"))


def test_sound_rows_agree(sound: Session) -> None:
    states = set(sound.scalars(sa.text("SELECT state FROM credit")))

    assert discrepancies(sound) == []
    assert states == {CreditState.APPROVED.value, CreditState.BATCHED.value, CreditState.ACCEPTED.value}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.rows_of.__name__)
def test_a_planted_fault_is_found_and_its_row_named(sound: Session, check: Check) -> None:
    damage(sound, FAULTS[check.rows_of.__name__])

    found = [row for row in discrepancies(sound) if (row.table, row.words) == (check.table, check.words)]

    assert [len(row.ids) for row in found] == [found[0].total]
    assert found[0].total >= 1


def test_every_check_has_a_fault_of_its_own() -> None:
    assert {check.rows_of.__name__ for check in CHECKS} == FAULTS.keys()


def test_the_first_rows_are_named_and_the_rest_counted() -> None:
    many = Discrepancy("penalty", CHECKS[3].words, tuple(range(1, NAMED_MAX + 1)), NAMED_MAX + 3)
    few = Discrepancy("penalty", CHECKS[3].words, (7,), 1)

    assert "1, 2, 3, 4, 5" in str(many)
    assert "3" in str(many).partition("5")[2]
    assert "penalty 7" in str(few)
    assert Discrepancy.stored(["penalty", CHECKS[3].words, [7], 1]) == few
