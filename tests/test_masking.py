import datetime as dt
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise.access.roles import Role
from supervise.audit.models import AuditEvent
from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.complaints.preview import preview_batch
from supervise.db import Base, MaskedText
from supervise.donotcall.intake import commit_batch
from supervise.ledger.drafts import EntryDraft
from supervise.parties.proposals import Action, propose
from supervise.parties.register import add_alias
from supervise.parties.scope import Scope
from supervise.phone import mask_in_text
from tests.factories.access import make_deputy, make_user
from tests.factories.complaints import upload_file
from tests.factories.files import write_csv
from tests.factories.parties import make_party

HEADER = ["转办编号", "转办日期", "举报人号码", "被举报号码", "来电时间", "类型", "举报描述", "推销内容", "被举报单位"]
NUMBER = "13987654321"
WRITTEN = "我是139.8765.4321，打我(139)87654321"


@pytest.mark.parametrize(
    "number",
    [
        "13912345678",
        "１３９１２３４５６７８",
        "139 1234 5678",
        "139.1234.5678",
        "139—1234—5678",
        "１３９－１２３４－５６７８",
        "(139)12345678",
        "139-123-45678",
        "1 3 9 1 2 3 4 5 6 7 8",
        "139\u200b1234\u200b5678",
        "008613912345678",
        "+86 139 1234 5678",
        "02988886666",
        "(029)88886666",
        "（010）8888 6666",
        "+86 29 88886666",
        "0086-10-88886666",
    ],
)
def test_a_number_is_masked_however_it_is_broken_up(number: str) -> None:
    masked = mask_in_text(f"请拨{number}联系")

    assert len(re.findall("[0-9０-９]", masked)) <= 7


def test_the_shortest_number_of_all_is_masked_and_one_digit_less_is_none() -> None:
    assert mask_in_text("请拨010-123-4567") == "请拨01****67"
    assert mask_in_text("请拨010-123-456") == "请拨010-123-456"


def test_full_width_digits_are_narrowed_with_or_without_a_number() -> None:
    assert mask_in_text("通话３５秒") == "通话35秒"


@pytest.mark.parametrize(
    "text", ["2026-11-22 17:34:55", "打了138次 2026-11-22", "订单20261122000138", "150,2000,3000元", "95588", "10086"]
)
def test_what_is_no_subscribers_number_stays_as_it_was_written(text: str) -> None:
    assert mask_in_text(text) == text


def test_no_column_of_the_database_keeps_a_complainants_number_from_any_cell_of_a_file(
    session: Session, keyring: Keyring, tmp_path: Path
) -> None:
    triager = make_user(session, role=Role.TRIAGER)
    path = tmp_path / f"投诉{NUMBER}.csv"
    right = ["ZB1", "2026-09-30", NUMBER, "02081234567", "2026-09-29 10:00", "骚扰电话", WRITTEN, WRITTEN, WRITTEN]
    wrong = ["ZB2", "2026-09-30", f"{NUMBER}5", "02081234567", f"{NUMBER}", "骚扰电话", WRITTEN, WRITTEN, WRITTEN]
    write_csv(path, [HEADER, right, wrong])

    batch = upload_file(session, path, tmp_path, profile="12321", actor_id=triager.id)
    preview_batch(session, keyring, tmp_path, batch.id)
    commit_batch(session, keyring, batch.id, actor_id=triager.id)

    assert batch.rows_new == batch.rows_error == 1
    assert kept_in_clear(session, re.compile(r"139\W?8765\W?4321|87654321")) == []


def test_a_number_in_a_typed_reason_is_masked_in_the_audit_trail(session: Session) -> None:
    record_event(
        session, actor_id=None, action="ticket.refused", subject="ticket", subject_id=1, reason=f"回访{NUMBER}无人接"
    )

    assert session.scalars(sa.select(AuditEvent.reason)).all() == ["回访139****4321无人接"]


def test_a_number_in_a_reason_is_masked_before_the_ledger_hashes_it() -> None:
    draft = EntryDraft(key="k", event="e", effective_on=dt.date(2026, 11, 1), lines=(), reason=f"退还{NUMBER}的款项")

    assert draft.reason == "退还139****4321的款项"


#: What people type into free text; the ledger masks its reasons before it hashes them.
TYPED = {"reason", "note", "source", "terms", "return_reason", "void_reason", "decision_note", "evidence_note"}
MASKED_BEFORE = {"journal_entry.reason"}


def test_every_column_for_typed_words_masks_numbers() -> None:
    plain = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        # A choice among words is typed by nobody.
        if column.name in TYPED and not isinstance(column.type, MaskedText | sa.Enum)
    }

    assert plain == MASKED_BEFORE


def test_typed_words_of_the_registers_are_masked_when_they_are_stored(session: Session) -> None:
    supervisor, colleague = (make_user(session, username=name, role=Role.SUPERVISOR) for name in ("lin", "zhao"))
    party = make_party(session)

    party.note = f"投诉人{NUMBER}认识店主"
    add_alias(session, party.id, name="星河", source=f"投诉人{NUMBER}转述", actor_id=supervisor.id)
    make_deputy(session, delegator=supervisor, deputy=colleague).reason = f"回访{NUMBER}期间"
    propose(
        session,
        Scope.everything(),
        action=Action.HOLD,
        party_id=party.id,
        change={"digits": "02988880000", "at": "2026-01-01T00:00:00+08:00"},
        reason=f"用户{NUMBER}反映",
        actor_id=supervisor.id,
    )

    assert kept_in_clear(session, re.compile(NUMBER)) == []


def kept_in_clear(session: Session, number: re.Pattern[str]) -> list[str]:
    """The columns, of all tables, in which *number* can be read."""
    session.flush()
    found = []
    for table in Base.metadata.sorted_tables:
        for row in session.execute(sa.text(f'SELECT * FROM "{table.name}"')).mappings():
            found += [f"{table.name}.{name}" for name, value in row.items() if number.search(str(value))]
    return found
