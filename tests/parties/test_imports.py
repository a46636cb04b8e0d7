"""Register files: looked at row by row, then taken over whole or not at all."""

import csv
import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from reports.registers import (
    NUMBER_COLUMNS,
    PARTY_COLUMNS,
    STAFF_COLUMNS,
    UNIT_COLUMNS,
    number_lines,
    party_lines,
    register_csv,
    staff_lines,
    unit_lines,
)
from supervise import clock
from supervise.cipher import Keyring
from supervise.errors import ConflictError
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.refusals import MissingColumnsError
from supervise.labels import use_locale
from supervise.parties.holders import holders_at
from supervise.parties.imports.steps import (
    RegisterChangedError,
    prepare_register_file,
    take_over_register_file,
)
from supervise.parties.models import NumberHolder, OrgUnit, Party, PartyRelation, PhoneNumber, StaffNumber
from supervise.parties.number_queries import NumberFilters
from supervise.parties.queries import PartyFilters, UnitFilters
from supervise.parties.scope import Scope
from supervise.parties.staff_queries import StaffFilters
from supervise.parties.tree import branch_ids
from tests.factories.import_desk import Desk
from tests.factories.parties import make_holder, make_party, make_staff_number, make_unit, staff_number_at

NUMBER_HEADER = ("号码", "责任方编码", "启用时间", "停用时间", "是否前缀")
NOON = dt.datetime(2026, 3, 5, 12, 0, tzinfo=clock.CHINA).astimezone(dt.UTC)


@pytest.fixture
def desk(session: Session, keyring: Keyring, tmp_path: Path) -> Desk:
    return Desk(session, keyring, tmp_path)


def count(session: Session, model: type) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_numbers_and_their_holders_come_in(session: Session, desk: Desk) -> None:
    party = make_party(session, code="A1")

    batch = desk.bring_in(
        ImportKind.NUMBERS,
        [
            NUMBER_HEADER,
            ("029-8888 0001", "A1", "2026-03-05 12:00", "", ""),
            ("10690000", "A1", "2026-03-05", "2026-04-01", "是"),
        ],
    )

    assert (batch.rows_new, batch.rows_error) == (2, 0)
    found = holders_at(session, [("02988880001", NOON), ("106900001234", NOON)])
    assert {holding.party_id for holding in found.values()} == {party.id}
    assert len(found) == 2
    assert all(row.subject_id is not None for row in desk.rows(batch))


def test_each_number_taken_over_is_in_the_trail(session: Session, desk: Desk) -> None:
    make_party(session, code="A1")

    desk.bring_in(ImportKind.NUMBERS, [NUMBER_HEADER, ("02988880001", "A1", "2026-03-05", "", "")])

    number_id = session.scalars(select(PhoneNumber.id)).one()
    query = text("SELECT action FROM audit_event WHERE subject = 'phone_number' AND subject_id = :id")
    assert session.scalars(query, {"id": str(number_id)}).all() == ["phone_number.held"]


def test_the_same_file_twice_adds_nothing(session: Session, desk: Desk) -> None:
    make_party(session, code="A1")
    rows = [NUMBER_HEADER, ("02988880001", "A1", "2026-03-05", "", ""), ("02988880002", "A1", "2026-03-05", "", "")]
    desk.bring_in(ImportKind.NUMBERS, rows)

    again = desk.bring_in(ImportKind.NUMBERS, rows)

    assert (again.rows_new, again.rows_known) == (0, 2)
    assert count(session, NumberHolder) == 2


def test_conflicts_are_named_row_by_row_and_the_rest_comes_in(session: Session, desk: Desk) -> None:
    make_party(session, code="A1", name="宏鼎")
    make_holder(session, party=make_party(session, code="A2", name="拓见"), digits="02988880001")

    batch = desk.bring_in(
        ImportKind.NUMBERS,
        [
            NUMBER_HEADER,
            ("02988880001", "A1", "2026-03-05", "", ""),
            ("02988880002", "A1", "2026-03-05", "2026-05-01", ""),
            ("02988880002", "A2", "2026-04-30", "", ""),
            ("02988880003", "A9", "2026-03-05", "", ""),
            ("2988880004", "A1", "2026-03-05", "", ""),
            ("02988880005", "A1", "2026-03-05", "2026-03-05", ""),
            ("95588", "A1", "2026-03-05", "", "是"),
        ],
    )

    words = desk.words(batch)
    assert words[2].startswith("In the register 拓见 holds this number from 2020-01-01 00:00 until")
    assert words[4].startswith("Row 3 gives this number to 宏鼎 from 2026-03-05 00:00 until 2026-05-01 00:00")
    assert "A9" in words[5]
    assert "leading zero" in words[6]
    assert "end must be after" in words[7]
    assert "106 port" in words[8]
    assert (batch.rows_new, batch.rows_error) == (1, 6)
    assert session.scalars(select(PhoneNumber.digits).order_by(PhoneNumber.digits)).all() == [
        "02988880001",
        "02988880002",
    ]


def test_a_hand_over_may_stand_in_two_rows(session: Session, desk: Desk) -> None:
    old, new = make_party(session, code="A1"), make_party(session, code="A2")

    desk.bring_in(
        ImportKind.NUMBERS,
        [
            NUMBER_HEADER,
            ("02988880001", "A2", "2026-03-05 12:00:00", "", ""),
            ("02988880001", "A1", "2026-01-01", "2026-03-05 12:00:00", ""),
        ],
    )

    second = dt.timedelta(seconds=1)
    found = holders_at(session, [("02988880001", NOON - second), ("02988880001", NOON)])
    assert found["02988880001", NOON - second].party_id == old.id
    assert found["02988880001", NOON].party_id == new.id


def test_an_end_that_the_register_did_not_know_is_set(session: Session, desk: Desk) -> None:
    holder = make_holder(session, party=make_party(session, code="A1"), digits="02988880001", held_from=NOON)

    batch = desk.bring_in(
        ImportKind.NUMBERS,
        [
            NUMBER_HEADER,
            ("02988880001", "A1", "2026-03-05 12:00", "2026-06-01", ""),
        ],
    )

    session.refresh(holder)
    assert batch.rows_changed == 1
    assert holder.held_to == clock.start_of_day(dt.date(2026, 6, 1))
    assert holder.version == 2


def test_what_became_wrong_since_the_preview_stops_everything(session: Session, desk: Desk) -> None:
    make_party(session, code="A1")
    batch = desk.preview(
        ImportKind.NUMBERS,
        [
            NUMBER_HEADER,
            ("02988880001", "A1", "2026-03-05", "", ""),
            ("02988880002", "A1", "2026-03-05", "", ""),
        ],
    )
    make_holder(session, party=make_party(session, name="拓见"), digits="02988880002")

    with pytest.raises(RegisterChangedError) as refusal, session.begin_nested():
        desk.take_over(batch)

    assert refusal.value.parameters["row"] == 3
    assert session.scalars(select(PhoneNumber.digits)).all() == ["02988880002"]


def test_a_file_is_taken_over_once(session: Session, desk: Desk) -> None:
    make_party(session, code="A1")
    batch = desk.preview(ImportKind.NUMBERS, [NUMBER_HEADER, ("02988880001", "A1", "2026-03-05", "", "")])
    prepared = prepare_register_file(session, batch.id, desk.keyring)
    take_over_register_file(session, batch.id, prepared, actor_id=1)

    with pytest.raises(ConflictError):
        take_over_register_file(session, batch.id, prepared, actor_id=2)

    assert count(session, NumberHolder) == 1


def test_a_file_without_a_needed_column_is_refused(desk: Desk) -> None:
    with pytest.raises(MissingColumnsError):
        desk.preview(ImportKind.NUMBERS, [("号码", "启用时间"), ("02988880001", "2026-03-05")])


def test_thousands_of_rows_come_in_by_few_statements(session: Session, desk: Desk) -> None:
    make_party(session, code="A1")
    rows = [(f"029{80_000_000 + place:08d}", "A1", "2026-03-05", "", "") for place in range(3_000)]

    batch = desk.bring_in(ImportKind.NUMBERS, [NUMBER_HEADER, *rows])

    assert batch.rows_new == 3_000
    assert count(session, NumberHolder) == 3_000


def test_units_come_in_whatever_the_order_of_their_rows(session: Session, desk: Desk) -> None:
    batch = desk.bring_in(
        ImportKind.ORG_UNITS,
        [
            ("机构编码", "机构名称", "层级", "上级机构编码", "生效日期", "成本中心"),
            ("029-1", "城关营业厅", "hall", "029", "2026-01-01", ""),
            ("029", "西安分公司", "city", "0", "2026-01-01", "C029"),
            ("0", "省公司", "province", "", "2026-01-01", ""),
            ("8", "无主", "city", "没有", "2026-01-01", ""),
            ("9", "自环", "city", "9", "2026-01-01", ""),
            ("0", "再来一个", "city", "", "2026-01-01", ""),
        ],
    )

    root = session.scalars(select(OrgUnit).where(OrgUnit.code == "0")).one()
    assert len(branch_ids(session, root.id, dt.date(2026, 6, 1))) == 3
    assert {row.row_number for row in desk.rows(batch) if row.verdict is RowVerdict.ERROR} == {5, 6, 7}


def test_parties_come_in_with_who_they_work_for(session: Session, desk: Desk) -> None:
    make_unit(session, code="029")
    make_party(session, code="OLD", name="老代理", credit_code="91330100799655058B")

    batch = desk.bring_in(
        ImportKind.PARTIES,
        [
            ("责任方编码", "责任方名称", "类型", "统一社会信用代码", "上级编码", "关系", "生效日期", "别名"),
            ("W1", "外包商", "outsourcer", "", "A1", "contracted_by", "2026-01-01", "联通外呼；拓见"),
            ("A1", "代理商", "agent", "9144030071526726XG", "029", "", "2026-01-01", ""),
            ("A2", "坏码", "agent", "9144030071526726XX", "029", "", "2026-01-01", ""),
            ("A3", "重码", "agent", "91330100799655058B", "029", "", "2026-01-01", ""),
            ("OLD", "另一家", "agent", "", "029", "", "2026-01-01", ""),
            ("B1", "分公司", "org_unit", "", "029", "", "2026-01-01", ""),
            ("A4", "无上级", "agent", "", "没有", "", "2026-01-01", ""),
        ],
    )

    codes = {row.code: row.id for row in session.execute(select(Party.code, Party.id))}
    ties = {(row.child_id, row.parent_id) for row in session.scalars(select(PartyRelation))}
    assert {(codes["W1"], codes["A1"]), (codes["A1"], codes["029"])} <= ties
    assert (batch.rows_new, batch.rows_error) == (2, 5)
    assert "老代理" in desk.words(batch)[5]


def test_staff_numbers_come_in_and_a_taken_one_is_named(session: Session, desk: Desk) -> None:
    employer = make_party(session, code="A1", name="宏鼎")
    make_staff_number(session, employer=make_party(session, name="拓见"), staff_number="8002")

    batch = desk.bring_in(
        ImportKind.STAFF,
        [
            ("运营商", "工号", "化名", "雇主编码", "驻点编码", "启用日期", "停用日期"),
            ("cu", "0081", "小李", "A1", "", "2026-03-01", ""),
            ("CU", "8002", "", "A1", "", "2026-03-01", ""),
            ("XX", "8003", "", "A1", "", "2026-03-01", ""),
            ("CU", "8004", "", "A1", "没有", "2026-03-01", ""),
        ],
    )

    worker = staff_number_at(session, "CU", "0081", dt.date(2026, 3, 1))
    assert worker is not None
    assert (worker.employer_id, worker.alias) == (employer.id, "小李")
    words = desk.words(batch)
    assert words[3].startswith("In the register a worker of 拓见 has this number")
    assert set(words) == {3, 4, 5}
    assert count(session, StaffNumber) == 2


@pytest.mark.parametrize("locale", ["zh_Hans", "en"])
def test_what_goes_out_comes_in_again_as_known(session: Session, desk: Desk, locale: str) -> None:
    unit = make_unit(session, code="029", name="西安分公司")
    party = make_party(session, code="A1", sponsor=unit)
    make_holder(session, party=party, digits="02988880001", held_to=NOON)
    make_holder(session, party=party, digits="10690000")
    make_staff_number(session, employer=party)
    everything = Scope.everything()
    own = PartyFilters(text="A1")

    with use_locale(locale):
        files = {
            ImportKind.ORG_UNITS: register_csv(UNIT_COLUMNS, unit_lines(session, everything, UnitFilters("029"))),
            ImportKind.PARTIES: register_csv(PARTY_COLUMNS, party_lines(session, everything, own)),
            ImportKind.NUMBERS: register_csv(NUMBER_COLUMNS, number_lines(session, everything, NumberFilters())),
            ImportKind.STAFF: register_csv(STAFF_COLUMNS, staff_lines(session, everything, StaffFilters())),
        }
        batches = {
            kind: desk.preview(kind, list(csv.reader("".join(lines).removeprefix("\ufeff").splitlines())))
            for kind, lines in files.items()
        }

    for batch in batches.values():
        assert (batch.rows_known, batch.rows_total) == (batch.rows_total, batch.rows_total), desk.words(batch)
        assert batch.rows_total > 0
