import datetime as dt
import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.cipher import Keyring
from supervise.complaints.models import (
    Channel,
    ImportProfile,
    Incident,
    Precision,
    Ticket,
    TicketIncident,
    TicketStep,
)
from supervise.complaints.preview import TooManyForRequestError, preview_batch
from supervise.complaints.profiles import save_profile
from supervise.donotcall.intake import commit_batch
from supervise.donotcall.models import PermissionEvent
from supervise.files.mapping import ColumnMapping
from supervise.files.models import BatchState, ImportBatch, RowVerdict
from supervise.files.refusals import MissingColumnsError
from supervise.files.remarks import remarks_text
from supervise.files.staging import BatchStateError, StoredRow, discard_batch, staged_rows
from supervise.labels import use_locale
from supervise.phone import NumberingPlan
from tests.factories.access import make_user
from tests.factories.complaints import make_subscriber, upload_file
from tests.factories.files import write_csv, write_xlsx
from tests.factories.parties import make_unit

HEADER = ["转办编号", "转办日期", "举报人号码", "被举报号码", "来电时间", "通话时长", "类型", "举报描述", "是否拒绝"]
ROW = ["ZB001", "2026-09-30", "13900002222", "02081234567", "2026-09-29 10:00", "35", "骚扰电话", "推销5G套餐", "是"]


@pytest.fixture
def triager(session: Session) -> User:
    return make_user(session, role=Role.TRIAGER)


class Desk:
    """A clerk's desk: files come in, are looked at, are taken over."""

    def __init__(self, session: Session, keyring: Keyring, folder: Path, actor: User) -> None:
        self.session, self.keyring, self.folder, self.actor = session, keyring, folder, actor

    def preview(self, path: Path, profile: ImportProfile | str = "12321") -> ImportBatch:
        batch = upload_file(self.session, path, self.folder, profile=profile, actor_id=self.actor.id)
        return preview_batch(self.session, self.keyring, self.folder, batch.id)

    def rows(self, batch: ImportBatch) -> list[StoredRow]:
        return list(staged_rows(self.session, batch.id, self.keyring))

    def verdicts(self, batch: ImportBatch) -> list[RowVerdict]:
        return [row.verdict for row in self.rows(batch)]

    def remarks(self, batch: ImportBatch) -> list[str]:
        with use_locale("en"):
            return [remarks_text(row.remarks) for row in self.rows(batch)]

    def take_over(self, path: Path, profile: ImportProfile | str = "12321") -> ImportBatch:
        batch = self.preview(path, profile)
        return commit_batch(self.session, self.keyring, batch.id, actor_id=self.actor.id)

    def count(self, model: type) -> int:
        return self.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


@pytest.fixture
def desk(session: Session, keyring: Keyring, tmp_path: Path, triager: User) -> Desk:
    return Desk(session, keyring, tmp_path, triager)


def changed(row: list[str], **cells: str) -> list[str]:
    return [cells.get(heading, cell) for heading, cell in zip(HEADER, row, strict=True)]


def test_a_12321_file_becomes_tickets_incidents_and_refusals(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [HEADER, ROW], encoding="gb18030")

    batch = desk.take_over(path)

    assert (batch.state, batch.rows_total, batch.rows_new) == (BatchState.COMMITTED, 1, 1)
    ticket = desk.session.scalars(sa.select(Ticket)).one()
    assert (ticket.channel, ticket.external_ref, ticket.batch_id) == (Channel.REPORT_12321, "ZB001", batch.id)
    assert ticket.received_at == clock.start_of_day(dt.date(2026, 9, 30))
    incident = desk.session.scalars(sa.select(Incident)).one()
    assert (incident.caller_number, incident.seconds, incident.precision) == ("02081234567", 35, Precision.MINUTE)
    assert incident.occurred_at == dt.datetime(2026, 9, 29, 2, 0, tzinfo=dt.UTC)
    refusal = desk.session.scalars(sa.select(PermissionEvent)).one()
    assert (refusal.given, refusal.ticket_id, refusal.said_at) == (False, ticket.id, incident.occurred_at)
    assert [row.subject_id for row in desk.rows(batch)] == [ticket.id]


def test_the_same_file_renamed_or_saved_as_a_workbook_adds_nothing(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [HEADER, ROW])
    desk.take_over(path)

    again = desk.take_over(Path(shutil.copy(path, tmp_path / "renamed.csv")))
    saved = desk.take_over(write_xlsx(tmp_path / "saved.xlsx", [HEADER, ROW]))

    assert desk.verdicts(again) == desk.verdicts(saved) == [RowVerdict.KNOWN]
    assert (desk.count(Ticket), desk.count(Incident), desk.count(PermissionEvent)) == (1, 1, 1)
    assert desk.remarks(again)[0].startswith("Already received as ticket TS")


def test_rows_without_a_reference_are_known_again_by_what_they_say(desk: Desk, tmp_path: Path) -> None:
    # Two equal rows are two complaints; a third one in the next file is new.
    rows = [HEADER[1:], ROW[1:], ROW[1:]]
    desk.take_over(write_csv(tmp_path / "in.csv", rows))

    batch = desk.take_over(write_csv(tmp_path / "more.csv", [*rows, ROW[1:]]))

    assert desk.verdicts(batch) == [RowVerdict.KNOWN, RowVerdict.KNOWN, RowVerdict.DUPLICATE]
    assert (desk.count(Ticket), desk.count(Incident)) == (3, 1)


def test_the_same_reference_with_another_text_updates_its_ticket(desk: Desk, tmp_path: Path) -> None:
    desk.take_over(write_csv(tmp_path / "in.csv", [HEADER, ROW]))

    changed_row = changed(ROW, 举报描述="推销5G套餐,回拨13912345678")
    batch = desk.take_over(write_csv(tmp_path / "new.csv", [HEADER, changed_row]))

    assert desk.verdicts(batch) == [RowVerdict.CHANGED]
    ticket = desk.session.scalars(sa.select(Ticket)).one()
    assert ticket.content == "推销5G套餐,回拨139****5678"
    step = desk.session.scalars(sa.select(TicketStep).order_by(TicketStep.id.desc())).first()
    assert step is not None
    assert step.reason == "- 推销5G套餐\n+ 推销5G套餐,回拨139****5678"
    assert desk.verdicts(desk.preview(tmp_path / "new.csv")) == [RowVerdict.KNOWN]


def test_the_same_call_from_another_channel_is_a_probable_duplicate_and_one_incident(
    desk: Desk, tmp_path: Path
) -> None:
    desk.take_over(write_csv(tmp_path / "in.csv", [HEADER, ROW]))
    header = ["工单编号", "派单时间", "来电号码", "骚扰号码", "骚扰时间", "诉求内容", "办理时限"]
    row = ["SZ77", "2026-09-30 09:00", "13900002222", "020-81234567", "2026/9/29 10:06", "不要再打", "2026-10-02"]

    batch = desk.take_over(write_csv(tmp_path / "12345.csv", [header, row]), "12345")

    assert desk.verdicts(batch) == [RowVerdict.DUPLICATE]
    assert desk.remarks(batch)[0].startswith("Probably the same call as in ticket TS")
    assert (desk.count(Ticket), desk.count(Incident), desk.count(TicketIncident)) == (2, 1, 2)
    limits = {row.channel: row.due_on for row in desk.session.execute(sa.select(Ticket.channel, Ticket.due_on))}
    assert limits[Channel.MAYOR_12345] == dt.date(2026, 10, 2)


def test_the_same_call_twice_in_one_file_names_the_row(desk: Desk, tmp_path: Path) -> None:
    second = changed(ROW, 转办编号="ZB002", 来电时间="2026-09-29 10:05")

    batch = desk.preview(write_csv(tmp_path / "in.csv", [HEADER, ROW, second]))

    assert desk.verdicts(batch) == [RowVerdict.NEW, RowVerdict.DUPLICATE]
    assert desk.remarks(batch)[1] == "Probably the same call as in row 2"


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"被举报号码": "1.38E+10"}, "被举报号码: A spreadsheet has rounded this number"),
        ({"被举报号码": "2081234567"}, "seems to be a landline that lost its leading zero"),
        ({"被举报号码": "1391234567"}, "seems to be a mobile number with a digit missing"),
        ({"来电时间": "2026-02-30 10:00"}, "来电时间: There is no such date or time"),
        ({"来电时间": "2999-01-01 10:00"}, "来电时间: The time lies in the future"),
        ({"来电时间": "46300.41"}, "Excel has turned this time into the number"),
        ({"举报人号码": "１３９０００"}, "举报人号码: "),
        ({"通话时长": "long"}, "通话时长: This is not a duration"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_its_row(
    desk: Desk, tmp_path: Path, cells: dict[str, str], reason: str
) -> None:
    wrong = changed(ROW, **cells)

    batch = desk.take_over(write_csv(tmp_path / "in.csv", [HEADER, wrong, changed(ROW, 转办编号="ZB002")]))

    assert desk.verdicts(batch) == [RowVerdict.ERROR, RowVerdict.NEW]
    assert reason in desk.remarks(batch)[0]
    assert desk.count(Ticket) == 1


def test_a_call_after_the_complaint_and_a_blank_caller_are_taken_in_with_a_remark(desk: Desk, tmp_path: Path) -> None:
    late = changed(ROW, 来电时间="2026-10-01 10:00")
    nobody = changed(ROW, 转办编号="ZB002", 被举报号码="")

    batch = desk.take_over(write_csv(tmp_path / "in.csv", [HEADER, late, nobody]))

    assert desk.verdicts(batch) == [RowVerdict.NEW, RowVerdict.NEW]
    remarks = desk.remarks(batch)
    assert "The call is later than the complaint" in remarks[0]
    assert "cannot be attributed" in remarks[1]
    flags = desk.session.scalars(sa.select(Incident.flags).order_by(Incident.id)).all()
    assert flags == [["called_after_complaint"], ["caller_missing"]]


def test_a_reference_twice_in_a_file_is_an_error_that_names_the_first(desk: Desk, tmp_path: Path) -> None:
    batch = desk.preview(write_csv(tmp_path / "in.csv", [HEADER, ROW, changed(ROW, 举报描述="另一段")]))

    assert desk.verdicts(batch) == [RowVerdict.NEW, RowVerdict.ERROR]
    assert desk.remarks(batch)[1] == "ZB001 stands in row 2 already"


def test_an_anonymous_row_without_a_call_becomes_a_ticket_alone(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [["投诉编号", "投诉时间", "投诉内容"], ["H1", "2026-09-29", "推销太多"]])

    batch = desk.take_over(path, "heimao")

    assert desk.verdicts(batch) == [RowVerdict.NEW]
    assert (desk.count(Ticket), desk.count(Incident)) == (1, 0)


def test_a_generic_mapping_reads_a_foreign_file_with_its_digits_as_given(
    desk: Desk, session: Session, tmp_path: Path
) -> None:
    mapping = ColumnMapping(
        {
            "caller_number": ("From",),
            "received_at": ("Created",),
            "occurred_at": ("Violation",),
            "caller_kind": ("Robo",),
        },
        plan=NumberingPlan.OTHER,
    )
    profile = save_profile(session, name="FTC", channel=Channel.REPORT_12321, mapping=mapping, actor_id=desk.actor.id)
    header = ["From", "Created", "Violation", "Robo", "State"]
    row = ["5205269536", "2021-07-07 00:01:46", "2021-07-06 15:25:00", "Y", "Ohio"]

    batch = desk.take_over(write_csv(tmp_path / "ftc.csv", [header, row]), profile)

    incident = session.scalars(sa.select(Incident)).one()
    assert desk.verdicts(batch) == [RowVerdict.NEW]
    assert (incident.caller_number, incident.caller_class, incident.caller_kind.value) == ("5205269536", None, "robot")
    assert incident.numbering_plan is NumberingPlan.OTHER


def test_a_file_without_its_required_column_is_refused_by_name(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [["转办编号", "举报描述"], ["1", "x"]])

    with pytest.raises(MissingColumnsError) as refused:
        desk.preview(path)

    assert "被举报号码" in str(refused.value.parameters["columns"])


def test_a_row_goes_to_the_unit_its_region_names_else_to_the_subscribers_home(
    desk: Desk, session: Session, tmp_path: Path
) -> None:
    nanchang, jiujiang = make_unit(session, name="南昌市分公司"), make_unit(session, name="九江市分公司")
    make_subscriber(session, digits="13900002222", unit=jiujiang)
    rows = [[*HEADER, "地市"], [*ROW, "南昌"], [*changed(ROW, 转办编号="ZB002", 来电时间="2026-09-29 18:00"), ""]]

    desk.take_over(write_csv(tmp_path / "in.csv", rows))

    units = session.scalars(sa.select(Ticket.unit_id).order_by(Ticket.id)).all()
    assert units == [nanchang.id, jiujiang.id]


def test_a_clerk_cannot_bring_in_rows_of_another_region(desk: Desk, session: Session, tmp_path: Path) -> None:
    make_unit(session, name="南昌市分公司")
    desk.actor = make_user(session, role=Role.CLERK)

    batch = desk.preview(write_csv(tmp_path / "in.csv", [[*HEADER, "地市"], [*ROW, "南昌"]]))

    assert desk.verdicts(batch) == [RowVerdict.ERROR]
    assert desk.remarks(batch)[0] == "This row belongs to a region that is not yours"


def test_more_rows_than_a_request_reads_are_left_to_a_job(desk: Desk, session: Session, tmp_path: Path) -> None:
    rows = [HEADER, *(changed(ROW, 转办编号=f"ZB{number}") for number in range(11))]
    batch = upload_file(
        session, write_csv(tmp_path / "in.csv", rows), tmp_path, profile="12321", actor_id=desk.actor.id
    )

    with pytest.raises(TooManyForRequestError):
        preview_batch(session, desk.keyring, tmp_path, batch.id, rows_max=10)


def test_a_batch_is_taken_over_once(desk: Desk, session: Session, tmp_path: Path) -> None:
    batch = desk.take_over(write_csv(tmp_path / "in.csv", [HEADER, ROW]))

    with pytest.raises(BatchStateError):
        commit_batch(session, desk.keyring, batch.id, actor_id=desk.actor.id)

    assert desk.count(Ticket) == 1


def test_a_discarded_batch_is_not_taken_over(desk: Desk, session: Session, tmp_path: Path) -> None:
    batch = desk.preview(write_csv(tmp_path / "in.csv", [HEADER, ROW]))
    discard_batch(session, batch.id)

    with pytest.raises(BatchStateError):
        commit_batch(session, desk.keyring, batch.id, actor_id=desk.actor.id)

    assert desk.count(Ticket) == 0


def test_a_row_that_came_in_otherwise_since_the_preview_adds_nothing(desk: Desk, tmp_path: Path) -> None:
    path = write_csv(tmp_path / "in.csv", [HEADER, ROW, changed(ROW, 转办编号="ZB002", 来电时间="2026-09-29 18:00")])
    waiting = desk.preview(path)
    desk.take_over(write_csv(tmp_path / "first.csv", [HEADER, ROW]))

    batch = commit_batch(desk.session, desk.keyring, waiting.id, actor_id=desk.actor.id)

    assert desk.verdicts(batch) == [RowVerdict.KNOWN, RowVerdict.NEW]
    assert (batch.rows_known, batch.rows_new, batch.rows_total) == (1, 1, 2)
    assert desk.count(Ticket) == 2
