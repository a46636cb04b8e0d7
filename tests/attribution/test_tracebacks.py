"""A spoofed call is traced back hop by hop, with an end in words, and nobody owes anything for it."""

import datetime as dt

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.decide import decide_verdict
from supervise.attribution.models import Verdict
from supervise.attribution.traceback_models import HopOutcome, TracebackState, TracebackTask
from supervise.attribution.traceback_queries import hops_of, tracebacks
from supervise.attribution.tracebacks import (
    HopDayError,
    HopMissingError,
    TracebackClosedError,
    ask_hop,
    end_traceback,
    enter_hop_answer,
    mark_uncooperative,
)
from supervise.errors import AlreadyDecidedError
from supervise.parties.scope import Scope
from supervise.penalties.models import Penalty
from supervise.penalties.propose import propose_penalties
from tests.factories.attribution import TRIAGER, make_traceback, verdict_in_force
from tests.factories.complaints import make_incident
from tests.factories.parties import make_holder, make_party

OFFICIAL = "02988880000"


def spoofed(session: Session) -> TracebackTask:
    return make_traceback(session, incident=make_incident(session, caller_number=OFFICIAL))


def test_a_spoofed_call_is_traced_from_operator_to_operator_and_charges_nobody(session: Session) -> None:
    task, today = spoofed(session), clock.today()
    gateway = ask_hop(session, task.id, "关口局", today, actor_id=TRIAGER)
    enter_hop_answer(session, gateway.id, "来自境外中继", today, next_hop="某国际运营商", actor_id=TRIAGER)
    abroad = ask_hop(session, task.id, "某国际运营商", today, actor_id=TRIAGER)
    mark_uncooperative(session, abroad.id, today, remark=None, actor_id=TRIAGER)

    end_traceback(session, task.id, TracebackState.TRACED, "境外呼叫中心经中继转入", actor_id=TRIAGER)

    assert [(hop.number, hop.asked, hop.outcome) for hop in hops_of(session, task.id)] == [
        (1, "关口局", HopOutcome.ANSWERED),
        (2, "某国际运营商", HopOutcome.REFUSED),
    ]
    [line] = tracebacks(session, Scope.everything(), [TracebackState.TRACED])
    assert (line.task_id, line.hops, line.refused) == (task.id, 2, 1)
    [result] = propose_penalties(session, [task.incident_id], actor_id=TRIAGER)
    assert result.refusal is not None
    assert session.scalar(sa.select(sa.func.count(Penalty.id))) == 0


def test_nothing_is_traced_without_an_answer_and_nothing_is_asked_after_the_end(session: Session) -> None:
    task, today = spoofed(session), clock.today()
    hop = ask_hop(session, task.id, "关口局", today, actor_id=TRIAGER)
    with pytest.raises(HopMissingError):
        end_traceback(session, task.id, TracebackState.TRACED, "查到了", actor_id=TRIAGER)

    end_traceback(session, task.id, TracebackState.ENDED, "信令已过保存期", actor_id=TRIAGER)

    with pytest.raises(TracebackClosedError):
        ask_hop(session, task.id, "下一家", today, actor_id=TRIAGER)
    with pytest.raises(TracebackClosedError):
        enter_hop_answer(session, hop.id, "迟到的答复", today, next_hop=None, actor_id=TRIAGER)
    assert tracebacks(session, Scope.everything(), [TracebackState.OPEN]) == []


def test_an_answer_is_entered_once_and_not_before_its_question(session: Session) -> None:
    task, today = spoofed(session), clock.today()
    hop = ask_hop(session, task.id, "关口局", today, actor_id=TRIAGER)
    with pytest.raises(HopDayError):
        enter_hop_answer(session, hop.id, "非我方", today - dt.timedelta(days=1), next_hop=None, actor_id=TRIAGER)
    mark_uncooperative(session, hop.id, today, remark="拒绝提供", actor_id=TRIAGER)

    with pytest.raises(AlreadyDecidedError):
        enter_hop_answer(session, hop.id, "非我方", today, next_hop=None, actor_id=TRIAGER)
    with pytest.raises(IntegrityError, match="not rewritten"):
        session.execute(sa.text("UPDATE traceback_hop SET asked = 'x'"))


def test_the_search_is_dropped_with_its_verdict(session: Session) -> None:
    task = spoofed(session)
    party = make_party(session)
    make_holder(session, party=party, digits=OFFICIAL)
    first = verdict_in_force(session, task.incident_id)
    assert first is not None

    decide_verdict(
        session, task.incident_id, Verdict.ATTRIBUTED, party.id, reason="核实", shown_id=first.id, actor_id=TRIAGER
    )

    session.refresh(task)
    assert (task.state, task.result) == (TracebackState.DROPPED, None)
