"""Who called? Five cases from the seeds, from the complaint and the platforms' files to the verdict with its reasons."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from supervise import clock, db
from supervise.attribution.conflict_queries import conflicts_to_settle
from supervise.attribution.conflicts import settle_conflict
from supervise.attribution.decide import accept_suggestions, decide_verdict
from supervise.attribution.findings import NoVerdictError, Proof, record_findings
from supervise.attribution.inquiry_models import AnswerKind
from supervise.attribution.models import Attribution, Method, Verdict
from supervise.attribution.proof_models import VerificationKind
from supervise.attribution.traceback_models import TracebackState, TracebackTask
from supervise.attribution.watching.keeping import due_days, keep, look
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.models import WatchFindingDay
from supervise.cipher import Keyring
from supervise.complaints.models import Incident, Precision
from supervise.complaints.reported import ReportedRefusal
from supervise.donotcall.held import Asked, before, permissions_at
from supervise.donotcall.models import PermissionScope
from supervise.errors import InvalidInputError
from supervise.labels import use_locale
from supervise.parties.models import Party
from supervise.penalties.models import Penalty, PenaltyFamily
from supervise.penalties.propose import propose_penalties
from tests.factories.attribution import PROVING, verdict_in_force
from tests.story_world import (
    DAY,
    HANDED_OVER,
    NOW,
    SUB_PORT,
    SUPERVISOR,
    TRIAGER,
    Office,
    call,
    china,
    in_words,
    message,
)

CALLED, OTHER = "13055101000", "13155101037"


@pytest.fixture
def office(app: Flask, keyring: Keyring, tmp_path: Path) -> Iterator[Office]:
    with app.app_context(), clock.pretending(NOW), use_locale("en"):
        yield Office(keyring, tmp_path)


def accept(*incident_ids: int) -> list[str]:
    """Accept in bulk; what is said of each row, empty where it was accepted."""
    results = db.decide(accept_suggestions, incident_ids, actor_id=TRIAGER)
    return [str(result.refusal) if result.refusal else "" for result in results]


def decide(incident_id: int, verdict: Verdict, party_id: int | None, reason: str | None) -> Attribution:
    return db.decide(decide_verdict, incident_id, verdict, party_id, reason=reason, shown_id=None, actor_id=TRIAGER)


def prove(incident_id: int, code: str, note: str) -> None:
    """Find an offence; what was heard is entered in the verification log with it."""
    proof = Proof(code, True, note, PROVING.get(code), VerificationKind.RECORDING_REVIEW)  # noqa: FBT003
    db.decide(record_findings, incident_id, [proof], actor_id=TRIAGER)


def charge(incident_id: int) -> Penalty:
    """Propose what follows from the findings."""
    [result] = db.decide(propose_penalties, [incident_id], actor_id=TRIAGER)
    assert result.refusal is None, result.refusal
    with db.reading() as session:
        return session.scalars(select(Penalty).where(Penalty.incident_id == incident_id)).one()


def verdict_of(incident_id: int) -> Attribution:
    with db.reading() as session:
        return verdict_in_force(session, incident_id) or pytest.fail("nobody has decided")


def chain_of(verdict: Attribution) -> list[str]:
    """The names of the verdict's chain, nearest to the call first."""
    with db.reading() as session:
        return [session.get_one(Party, party_id).name for party_id, _role in verdict.chain]


def test_an_order_proves_the_hall_that_denies_the_call_from_a_private_mobile_number(office: Office) -> None:
    hall = office.parties["三里店营业厅"]
    [incident] = office.take_in(CALLED, call("18652010088", "14:05:00"), content="称免费升级5G套餐，月租反而贵了40元")
    [too_late] = office.take_in(OTHER, call("18652010088", "14:30:00"))
    ordered = [
        ["DD2026110501", CALLED, "2026-11-05 10:12:00", "QD3001", "", "CX59", "CX99", "40.00"],
        ["DD2026110200", CALLED, "2026-11-02 10:00:00", "QD3001", "", "CX39", "CX59", "20.00"],
    ]
    office.deliver("BS01", ordered, days=16)
    assert office.suggestion(incident).automatic is not None

    office.ask(incident, "三里店营业厅")
    office.answer("三里店营业厅", AnswerKind.NOT_OURS, "我厅未安排外呼，应该是第三方代理给用户打的电话。")
    shown = office.suggestion(incident)

    # Both sides are shown, and nobody accepts it with one click or without a word.
    assert shown.party_id == hall
    assert "三里店营业厅 denies" in in_words(shown.contradictions)
    assert "DD2026110501" in in_words(shown.candidates[0].reasons)
    assert "DD2026110200" not in in_words(shown.candidates[0].reasons), "an order before the call proves nothing"
    assert accept(incident, too_late) == [
        "三里店营业厅 denies that it was its own doing.",
        "Nobody held 18652010088 at 2026-11-03 14:30:00.",
    ]
    with pytest.raises(InvalidInputError):
        decide(incident, Verdict.ATTRIBUTED, hall, None)

    verdict = decide(incident, Verdict.ATTRIBUTED, hall, "次日后该厅渠道受理升档订单，与来电推销内容一致")
    assert (verdict.method, verdict.grade, chain_of(verdict)[0]) == (Method.RECORD, "A", "三里店营业厅")
    said = in_words(verdict.reasons)
    assert "under channel code QD3001: plan CX59 to CX99, 40.00 yuan a month more" in said
    assert "三里店营业厅 denies that it was its own doing." in said
    # The denial is a supervisor's to settle, with both texts; the verdict stands.
    with db.reading() as session:
        [conflict] = conflicts_to_settle(session)
    settled = db.decide(
        settle_conflict,
        incident,
        None,
        None,
        reason="以订单记录为准",
        shown_conflict_id=conflict.id,
        shown_id=verdict.id,
        actor_id=SUPERVISOR,
    )
    assert settled.id == verdict.id
    prove(incident, "unauthorised_number", "回拨18652010088为营业厅员工手机")
    penalty = charge(incident)
    assert (penalty.amount_fen, penalty.family, penalty.party_id) == (200_00, PenaltyFamily.INTERNAL, hall)


def test_the_staff_number_of_a_call_from_10085_leads_to_the_outsourcer_and_its_chain(office: Office) -> None:
    [incident] = office.take_in(CALLED, call("10085", "15:20:00"), content="10085来电推销流量包")
    [unrecorded] = office.take_in(OTHER, call("10085", "15:40:00"))
    row = ["HD5001", "10085", CALLED, "2026-11-03 15:20:31", "2026-11-03 15:22:00", "75", "是", "9583", "LY5001"]
    office.deliver("WH02", [row])

    assert accept(incident, unrecorded)[0] == ""
    assert "No call records for that day from: WH01" in accept(incident, unrecorded)[1]

    verdict = verdict_of(incident)
    assert (verdict.verdict, verdict.method, verdict.grade) == (Verdict.OFFICIAL_NUMBER, Method.OFFICIAL_RULE, "A")
    assert chain_of(verdict) == ["联达外呼", "华信代理", "城东分公司"]
    said = in_words(verdict.reasons)
    assert "10085 called at 2026-11-03 15:20:31 for 75 seconds, dialled by staff number 9583" in said
    assert "It is no unauthorised number" in said
    prove(incident, "misleading_free", "录音LY5001：称免费赠送，未告知次月收费")
    # The outsourcer has no contract with us: the agent above it has, and owes.
    penalty = charge(incident)
    assert (penalty.amount_fen, penalty.party_id) == (200_00, office.parties["华信代理"])


def test_a_10016_that_no_platform_dialled_is_spoofed_and_its_apparent_holder_owes_nothing(office: Office) -> None:
    [incident] = office.take_in(CALLED, call("10016", "20:10:00"), content="显示10016，要求报验证码")
    someone_else = ["HD1", "10016", OTHER, "2026-11-03 20:10:00", "2026-11-03 20:11:00", "50", "是", "", ""]
    office.deliver("WH01", [someone_else])
    assert office.suggestion(incident).verdict is not Verdict.SPOOFED, "one platform has not delivered that day"

    office.deliver("WH02")
    shown = office.suggestion(incident)
    assert (shown.verdict, shown.party_id) == (Verdict.SPOOFED, None)
    assert "No platform dialled this call (records of that day: WH01, WH02)" in accept(incident)[0]

    verdict = decide(incident, Verdict.SPOOFED, None, "各平台当日话单齐全，均无此呼叫")
    assert (verdict.method, verdict.party_id) == (Method.OFFICIAL_RULE, None)
    assert "its apparent holder owes nothing" in in_words(verdict.reasons)
    with db.reading() as session:
        task = session.scalars(select(TracebackTask).where(TracebackTask.incident_id == incident)).one()
        assert (task.state, task.attribution_id) == (TracebackState.OPEN, verdict.id)
    with pytest.raises(NoVerdictError):
        prove(incident, "misleading_free", "录音：索要验证码")
    [result] = db.decide(propose_penalties, [incident], actor_id=TRIAGER)
    assert result.refusal is not None


def test_a_number_handed_over_at_noon_leads_to_each_of_its_holders_or_both_are_asked(office: Office) -> None:
    [last] = office.take_in(CALLED, call(HANDED_OVER, "11:59:59", precision=Precision.SECOND))
    [first] = office.take_in(OTHER, call(HANDED_OVER, "12:00:00", precision=Precision.SECOND))
    [some_time] = office.take_in("13255101074", call(HANDED_OVER, "00:00:00", precision=Precision.DAY))
    rows = [
        ["HD2", HANDED_OVER, CALLED, "2026-11-03 11:59:59", "2026-11-03 12:01:00", "50", "是", "", ""],
        ["HD3", HANDED_OVER, OTHER, "2026-11-03 12:00:00", "2026-11-03 12:01:00", "50", "是", "", ""],
    ]
    office.deliver("WH01", rows)

    assert accept(last, first, some_time) == [
        "",
        "",
        "The number changed hands on that day and the time is not known: ask both.",
    ]
    assert [chain_of(verdict_of(one))[0] for one in (last, first)] == ["恒通渠道", "星河呼叫"]
    assert "it held 02568899999 from" in in_words(verdict_of(last).reasons)
    assert "to 2026-11-03 12:00:00" in in_words(verdict_of(last).reasons)
    assert "since 2026-11-03 12:00:00" in in_words(verdict_of(first).reasons)

    office.ask(some_time, "恒通渠道", "星河呼叫")
    noon = china("12:00:00")
    office.answer(
        "恒通渠道",
        AnswerKind.HANDED_ON,
        "当日上午未用该号码外呼，中午已移交。",
        named_text="星河呼叫",
        handed_on_at=noon,
    )
    office.answer("星河呼叫", AnswerKind.OURS, "系我司下午所拨。")
    shown = office.suggestion(some_time)
    assert (shown.party_id, len(shown.candidates)) == (None, 2), "answers decide nothing by themselves"
    with db.reading() as session:
        assert conflicts_to_settle(session) == [], "a noon of that day is not after a call of that day"

    verdict = decide(
        some_time, Verdict.ATTRIBUTED, office.parties["星河呼叫"], "星河呼叫自认，恒通渠道否认且有移交记录"
    )
    assert (verdict.method, chain_of(verdict)[0]) == (Method.PERSON, "星河呼叫")
    said = in_words(verdict.reasons)
    assert "The party answered that it was its own call." in said
    assert "ask both" in said


def test_a_burst_from_one_sub_port_after_the_opt_out_is_its_lessee_s(office: Office) -> None:
    words, port = "【锐达】老用户升级套餐立享五折，回T退订", f"{SUB_PORT}01"
    next_day = DAY + dt.timedelta(days=1)
    [allowed] = office.take_in(
        CALLED, message(port, "10:00:00", words), refusal=ReportedRefusal(said_at=china("10:02:00"), how="回复T")
    )
    [incident] = office.take_in(CALLED, message(port, "09:00:00", words, day=next_day), content="回复T后仍连发七条")
    first = ["DX0", port, CALLED, "2026-11-03 10:00:04", "【锐达】", "回T退订", "营销", words]
    later = [
        [f"DX{n}", port, CALLED, f"2026-11-04 09:{n:02d}:04", "【锐达】", "回T退订", "营销", words] for n in range(7)
    ]
    office.deliver("DX01", [first, *later], days=2)

    assert accept(allowed, incident) == ["", ""]

    verdict, lessee = verdict_of(incident), office.parties["锐达营销"]
    assert (verdict.method, verdict.grade, chain_of(verdict)[0]) == (Method.RECORD, "A", "锐达营销")
    assert f"sent from port {port} at 2026-11-04 09:00:04, signed 【锐达】" in in_words(verdict.reasons)
    assert _refusals(lessee, allowed, incident) == [None, False]
    assert _watched(next_day) == {(Irregularity.SMS_BURST, lessee): 2}, "five a day are tolerated"
    prove(incident, "after_refusal", "退订记录在先，短信在后")
    assert charge(incident).party_id == lessee


def _refusals(party_id: int, *incident_ids: int) -> list[bool | None]:
    """Whether the subscriber had said yes or no before each message; None: had not been asked."""
    with db.reading() as session:
        sent = [session.get_one(Incident, incident_id) for incident_id in incident_ids]
        asked = [
            Asked(
                one.number_id or pytest.fail("anonymous"),
                PermissionScope.MARKETING_SMS,
                party_id,
                before(one.occurred_at),
            )
            for one in sent
        ]
        return [word.given if word else None for word in permissions_at(session, asked)]


def _watched(day: dt.date) -> dict[tuple[Irregularity, int | None], int]:
    """Irregular records of a day by kind and party, as the nightly watch finds them."""
    with db.reading() as session:
        looked = [look(session, kind, day) for kind in due_days(session)[day]]
    for one in looked:
        if one is not None:
            db.decide(keep, one)
    with db.reading() as session:
        found = session.scalars(select(WatchFindingDay).where(WatchFindingDay.on_day == day))
        return {(row.kind, row.party_id): row.records for row in found}
