"""Changes of the checklists: from a day on, until a day, never back-dated, one item of a code at a time."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.checklist_items import (
    ItemTakenError,
    NoSuchOffenceError,
    add_evidence_item,
    end_evidence_item,
    evidence_item_by_id,
)
from supervise.attribution.checklists import evidence_items, items_on
from supervise.attribution.models import EvidenceItem, EvidenceKind
from supervise.audit.models import AuditEvent
from supervise.complaints.reference import BackDatedError
from supervise.errors import NotFoundError

ADMIN = 917


def add(session: Session, **changed: Any) -> EvidenceItem:
    facts: dict[str, Any] = {
        "offence_code": "frequency",
        "code": "call_records",
        "kind": EvidenceKind.PROOF,
        "name_zh": "有通话详单",
        "name_en": "There are call records",
        "valid_from": clock.today(),
    }
    return add_evidence_item(session, **facts | changed, actor_id=ADMIN)


def codes_on(session: Session, offence_code: str, day: dt.date) -> list[str]:
    return [item.code for item in items_on(evidence_items(session, [offence_code]), day)]


def test_the_law_gives_four_things_that_must_not_be_concealed(session: Session) -> None:
    assert codes_on(session, "concealment", dt.date(2025, 8, 1)) == ["price", "applicable_scene", "validity", "limits"]
    assert codes_on(session, "concealment", dt.date(2025, 7, 31)) == []
    assert codes_on(session, "after_refusal", clock.today()) == ["earlier_refusal"]
    assert codes_on(session, "without_consent", clock.today()) == ["no_consent_found"]


def test_an_item_is_asked_for_from_its_first_day_on_and_comes_last(session: Session) -> None:
    tomorrow = clock.today() + dt.timedelta(days=1)

    made = add(session, offence_code="concealment", valid_from=tomorrow)

    assert codes_on(session, "concealment", clock.today())[-1] == "limits"
    assert codes_on(session, "concealment", tomorrow)[-1] == "call_records"
    event = session.scalars(sa.select(AuditEvent).where(AuditEvent.action == "evidence_item.added")).one()
    assert (event.subject_id, event.actor_id) == (str(made.id), ADMIN)


def test_an_item_ends_and_its_code_can_be_used_anew(session: Session) -> None:
    today, tomorrow = clock.today(), clock.today() + dt.timedelta(days=1)
    made = add(session)

    end_evidence_item(session, made.id, valid_to=tomorrow, actor_id=ADMIN)
    add(session, valid_from=tomorrow, name_zh="有话务系统详单")

    assert codes_on(session, "frequency", today) == codes_on(session, "frequency", tomorrow) == ["call_records"]
    assert made.valid_to == tomorrow


def test_two_items_do_not_share_a_code(session: Session) -> None:
    add(session, valid_from=clock.today() + dt.timedelta(days=1))

    with pytest.raises(ItemTakenError):
        add(session)


@pytest.mark.parametrize("code", ["no_such_type", ""])
def test_an_item_needs_an_offence_type(session: Session, code: str) -> None:
    with pytest.raises(NoSuchOffenceError):
        add(session, offence_code=code)


def test_nothing_is_back_dated(session: Session) -> None:
    yesterday = clock.today() - dt.timedelta(days=1)
    made = add(session)

    with pytest.raises(BackDatedError):
        add(session, code="other", valid_from=yesterday)
    for day in (yesterday, clock.today()):  # the second would leave an empty period
        with pytest.raises(BackDatedError):
            end_evidence_item(session, made.id, valid_to=day, actor_id=ADMIN)


def test_an_end_is_set_once(session: Session) -> None:
    made, tomorrow = add(session), clock.today() + dt.timedelta(days=1)
    end_evidence_item(session, made.id, valid_to=tomorrow, actor_id=ADMIN)

    with pytest.raises(NotFoundError):
        end_evidence_item(session, made.id, valid_to=tomorrow, actor_id=ADMIN)
    with pytest.raises(NotFoundError):
        evidence_item_by_id(session, 10**9)
