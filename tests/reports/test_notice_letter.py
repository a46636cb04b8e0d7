"""The letter of a notice: what was frozen, the same bytes each time, no box for want of a font, no full number."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from reports import letter
from reports.letter import LetterError, set_letter
from reports.notice import build_notice_letter, letter_of
from supervise import clock
from supervise.complaints.models import DayType
from supervise.contracts.amendments import activate_amendment
from supervise.desk.notice_story import notice_story
from supervise.labels import use_locale
from supervise.money import yuan_in_capitals
from supervise.parties.scope import Scope
from supervise.penalties.models import ObjectionState
from supervise.penalties.notice_queries import notice_of_penalty
from supervise.penalties.objections import decide_objection, file_objection
from tests.factories.complaints import make_number
from tests.factories.contracts import make_amendment
from tests.factories.penalties import make_approved_penalty, make_charged_partner, make_supervisor

NAMES = {"after_refusal": "用户拒绝后再次拨打"}


@pytest.mark.parametrize(
    ("fen", "words"),
    [
        (0, "零元整"),
        (5, "伍分"),
        (1_50, "壹元伍角整"),
        (10_05, "壹拾元零伍分"),
        (1_200_00, "壹仟贰佰元整"),
        (100_010_00, "壹拾万零壹拾元整"),
        (20_050_000_00, "贰仟零伍万元整"),
        (100_000_000_01, "壹亿元零壹分"),
        (12_345_678_901_23, "壹佰贰拾叁亿肆仟伍佰陆拾柒万捌仟玖佰零壹元贰角叁分"),
        (-200_00, "负贰佰元整"),
    ],
)
def test_an_amount_is_written_in_capitals_as_documents_write_it(fen: int, words: str) -> None:
    assert yuan_in_capitals(fen) == words


def test_an_amount_that_capitals_have_no_word_for_is_refused() -> None:
    with pytest.raises(ValueError, match="too large"):
        yuan_in_capitals(10**14)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
def test_the_letter_is_the_same_file_whatever_became_of_its_lines(session: Session) -> None:
    number = make_number(session, digits="13912345678")
    penalty = make_approved_penalty(session, charged=make_charged_partner(session), number=number)
    notice = notice_of_penalty(session, penalty.id)
    assert notice is not None
    objection = file_objection(session, penalty.id, "不成立", Scope.everything(), actor_id=931)

    with use_locale("zh_Hans"):
        before = build_notice_letter(notice_story(session, Scope.everything(), notice.id), NAMES)
        judge = make_supervisor(session, username="judge")
        decide_objection(session, objection.id, ObjectionState.UPHELD, note="成立", actor_id=judge.id)
        story = notice_story(session, Scope.everything(), notice.id)
        after = build_notice_letter(story, NAMES)
        words = letter_of(story, NAMES)

    assert after == before
    assert before.startswith(b"%PDF-1.7")
    assert b"pdfaid" in before
    assert (words["total"], words["capitals"]) == ("200.00", "贰佰元整")
    [line] = words["lines"]
    assert line["offence"] == "用户拒绝后再次拨打"
    assert line["numbers"].endswith("139****5678")


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("day_type", "words"),
    [(DayType.WORKING, "within 5 working days of"), (DayType.NATURAL, "within 5 calendar days of")],
)
def test_the_letter_says_how_the_days_to_object_are_counted(session: Session, day_type: DayType, words: str) -> None:
    charged = make_charged_partner(session)
    told = make_amendment(session, contract=charged.contract, appeal_days=5, appeal_day_type=day_type)
    activate_amendment(session, told.id, actor_id=931)
    penalty = make_approved_penalty(session, charged=charged)
    notice = notice_of_penalty(session, penalty.id)
    assert notice is not None

    with use_locale("en"):
        letter_words = letter_of(notice_story(session, Scope.everything(), notice.id), NAMES)

    assert words in str(letter_words)
    assert "days (" not in str(letter_words)


def test_a_font_that_is_missing_is_an_error_and_no_paper_of_boxes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "boxes.typ").write_text('#set text(font: "No Such Song")\n扣罚', encoding="utf-8")
    monkeypatch.setattr(letter, "_TEMPLATES", tmp_path)

    with pytest.raises(LetterError, match="unknown font family"):
        set_letter("boxes.typ", {}, dated=clock.now())
