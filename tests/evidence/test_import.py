import datetime as dt
import io
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from supervise import db
from supervise.audit.models import AuditEvent
from supervise.cipher import Keyring
from supervise.evidence.models import RecordImportState, RecordKind, RecordPartition
from supervise.phone import normalise
from tests.evidence.record_files import CALLS_HEADER, Importer, call, csv_text

CALLED_ON = dt.date(2026, 11, 3)
MOBILE = "13912345678"


def xlsx(rows: list[list[str]]) -> bytes:
    book = openpyxl.Workbook()
    for row in [CALLS_HEADER, *rows]:
        book.active.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def parquet(rows: list[list[str]]) -> bytes:
    columns = list(zip(*rows, strict=True))
    file = io.BytesIO()
    pq.write_table(pa.table([pa.array(column) for column in columns], names=list(CALLS_HEADER)), file)
    return file.getvalue()


# What is taken over


def test_a_call_is_stored_under_the_index_that_a_complaint_of_the_number_has(
    importer: Importer, keyring: Keyring
) -> None:
    done = importer.take(csv_text([call(被叫号码="+86 139-1234-5678")]))

    (row,) = importer.seen()
    assert row["subscriber_index"] == keyring.blind_index(normalise(MOBILE))
    assert row["started_at"] == dt.datetime(2026, 11, 3, 6, 5, 9, tzinfo=dt.UTC)
    assert (row["on_day"], row["minute_of_day"]) == (CALLED_ON, 14 * 60 + 5)
    assert (row["platform"], row["talk_seconds"], row["campaign"]) == ("crm", 51, "5G升级")
    assert (done.rows_total, done.rows_new, done.covers_from) == (1, 1, CALLED_ON)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "written",
    [
        lambda rows: csv_text(rows).encode("gb18030"),
        lambda rows: csv_text(rows).encode("utf-8-sig"),
        lambda rows: csv_text(rows).encode("utf-16"),
        lambda rows: csv_text(rows).replace(",", "\t").encode(),
        xlsx,
        parquet,
    ],
    ids=["gb18030", "utf-8 with a mark", "utf-16", "tabs", "xlsx", "parquet"],
)
def test_every_format_gives_the_same_records(
    importer: Importer, written: Callable[[list[list[str]]], bytes], tmp_path: Path
) -> None:
    rows = [call("C1"), call("C2", 开始时间="2026-11-04 00:00:01", 结束时间=""), call("C3", 被叫号码="02583001122")]
    importer.take(csv_text(rows))
    expected = importer.seen()

    known = importer.take(written(rows))

    assert (known.rows_new, known.rows_known, known.rows_refused) == (0, 3, 0)
    assert importer.seen() == expected


def test_no_number_of_a_subscriber_stands_in_the_store(importer: Importer, keyring: Keyring) -> None:
    texts = f"请回拨{MOBILE}或139 1234 5678"
    importer.take(
        csv_text(
            [[f"S-{MOBILE}", "smsc", "1069012345", MOBILE, "2026-11-03 14:05:09", f"【{MOBILE}】", texts]],
            ("短信标识", "平台", "端口号", "接收号码", "发送时间", "签名", "短信内容"),
        ),
        RecordKind.MESSAGES,
    )

    (row,) = importer.seen(RecordKind.MESSAGES)
    stored = importer.files(RecordKind.MESSAGES)[0].read_bytes()
    uncompressed = str(row)
    assert "12345678" not in uncompressed.replace(row["subscriber_index"], "").replace(row["content_sha256"], "")
    assert b"12345678" not in stored
    assert row["content"] == "请回拨139****5678或139****5678"
    assert row["content_sha256"].startswith(keyring.blind_index(texts))


def test_a_message_may_come_with_the_hash_of_its_text_instead(importer: Importer, keyring: Keyring) -> None:
    header = ("短信标识", "平台", "端口号", "接收号码", "发送时间", "短信内容", "内容摘要")
    rest = ["smsc", "1069012345", MOBILE, "2026-11-03 14:05:09"]
    importer.take(csv_text([["S1", *rest, "", "9f8e"], ["S2", *rest, "升级", "77aa"]], header), RecordKind.MESSAGES)

    hashed, texted = sorted(importer.seen(RecordKind.MESSAGES), key=lambda row: row["record_id"])

    assert (hashed["content"], texted["content"]) == (None, "升级")
    # Keyed as everything is: the platform's own hash would give a short text away.
    assert hashed["content_sha256"].startswith(keyring.blind_index("9f8e"))
    assert texted["content_sha256"].startswith(keyring.blind_index("升级"))


def test_a_column_that_nobody_knows_is_not_read(importer: Importer) -> None:
    importer.take(csv_text([[*call(), MOBILE]], (*CALLS_HEADER, "备用号码")))

    assert MOBILE not in str(importer.seen())


def test_a_check_names_its_call_by_the_same_index_as_the_call(importer: Importer) -> None:
    importer.take(csv_text([call(f"X{MOBILE}")]))
    importer.take(
        csv_text(
            [["Q1", "qc", f"X{MOBILE}", MOBILE, "2026-11-04 09:00:00", "是"]],
            ("质检编号", "平台", "话单号", "被叫号码", "质检时间", "是否合格"),
        ),
        RecordKind.QUALITY,
    )

    assert importer.seen(RecordKind.QUALITY)[0]["call_record_id"] == importer.seen()[0]["record_id"]


def test_one_platform_may_be_named_for_all_rows_and_days_without_calls_are_covered(importer: Importer) -> None:
    header = [heading for heading in CALLS_HEADER if heading != "平台"]
    rows = [[cell for place, cell in enumerate(call()) if place != 1]]

    done = importer.take(csv_text(rows, header), platform="crm", covers=(dt.date(2026, 11, 2), dt.date(2026, 11, 5)))

    with db.reading() as session:
        found = session.execute(select(RecordPartition.on_day, RecordPartition.rows).order_by(RecordPartition.on_day))
        assert [tuple(row) for row in found] == [
            (dt.date(2026, 11, day), rows) for day, rows in ((2, 0), (3, 1), (4, 0))
        ]
    assert done.covers_to == dt.date(2026, 11, 5)


def test_two_quiet_days_bring_the_same_file_without_a_row(importer: Importer) -> None:
    header = [heading for heading in CALLS_HEADER if heading != "平台"]

    for day in (2, 3):
        on_day = dt.date(2026, 11, day)
        done = importer.take(csv_text([], header), platform="crm", covers=(on_day, on_day + dt.timedelta(days=1)))

        assert (done.rows_total, done.covers_from) == (0, on_day)


# Twice, and again with other values


def test_importing_the_same_file_twice_adds_nothing_and_says_so(importer: Importer) -> None:
    first = importer.take(csv_text([call()]))

    refusal = importer.refuse(csv_text([call()]))

    assert refusal.parameters == {"import_id": first.id}
    assert importer.newest().state is RecordImportState.REFUSED
    assert len(importer.seen()) == 1


def test_a_record_that_comes_again_is_known_and_one_with_other_values_is_refused(importer: Importer) -> None:
    importer.take(csv_text([call("C1"), call("C2")]))

    second = importer.take(csv_text([call("C2", 通话时长="7"), call("C1"), call("C3")]))

    assert (second.rows_new, second.rows_known, second.rows_refused) == (1, 1, 1)
    assert "correction" in importer.reasons(second.id)[2]
    assert [row["record_id"] for row in importer.seen()] == ["C1", "C2", "C3"]


def test_a_correction_replaces_the_days_of_its_platform(importer: Importer) -> None:
    other_day = call("C9", 开始时间="2026-11-05 10:00:00", 结束时间="")
    importer.take(csv_text([call("C1"), call("C2"), other_day]))

    importer.take(csv_text([call("C1", 通话时长="7")]), corrects=True)

    assert [(row["record_id"], row["talk_seconds"]) for row in importer.seen()] == [("C1", 7), ("C9", 51)]


def test_a_correction_with_refused_rows_replaces_nothing_and_shows_them(importer: Importer) -> None:
    importer.take(csv_text([call("C1"), call("C2")]))
    correction = csv_text([call("C1", 通话时长="7"), call("C2", 被叫号码="1391234")])

    refusal = importer.refuse(correction, corrects=True)

    assert refusal.parameters == {"rows": 1}
    refused = importer.newest()
    assert (refused.state, refused.rows_refused, list(importer.reasons(refused.id))) == (
        RecordImportState.REFUSED,
        1,
        [3],
    )
    assert [(row["record_id"], row["talk_seconds"]) for row in importer.seen()] == [("C1", 51), ("C2", 51)]


def test_whoever_accepts_just_the_refused_rows_replaces_the_days_without_them(importer: Importer) -> None:
    importer.take(csv_text([call("C1"), call("C2")]))
    correction = csv_text([call("C1", 通话时长="7"), call("C2", 被叫号码="1391234")])

    assert importer.refuse(correction, corrects=True, refused_accepted=2).parameters == {"rows": 1}
    done = importer.take(correction, corrects=True, refused_accepted=1)

    assert (done.rows_new, done.rows_refused, done.refused_accepted) == (1, 1, 1)
    assert [(row["record_id"], row["talk_seconds"]) for row in importer.seen()] == [("C1", 7)]
    with db.reading() as session:
        told = session.scalars(
            select(AuditEvent.changes).where(
                AuditEvent.action == "record_import.opened", AuditEvent.subject_id == str(done.id)
            )
        ).one()
    assert told == {"kind": "calls", "corrects": True, "refused_accepted": 1}


def test_the_first_bytes_return_as_a_correction_after_another_file_corrected_them(importer: Importer) -> None:
    right = csv_text([call("C1"), call("C2")])
    first = importer.take(right)
    importer.take(csv_text([call("C1", 通话时长="7")]), corrects=True)

    refusal = importer.refuse(right)
    assert refusal.parameters == {"import_id": first.id}
    assert "as a correction" in importer.in_english(refusal)

    again = importer.take(right, corrects=True)
    assert [(row["record_id"], row["talk_seconds"]) for row in importer.seen()] == [("C1", 51), ("C2", 51)]

    assert importer.refuse(right, corrects=True).parameters == {"import_id": again.id}


def test_the_same_record_twice_in_a_file_counts_once_and_contradiction_is_refused(importer: Importer) -> None:
    done = importer.take(csv_text([call("C1"), call("C1"), call("C1", 通话时长="7")]))

    assert (done.rows_new, done.rows_known, done.rows_refused) == (1, 1, 1)
    assert importer.reasons(done.id) == {4: "Row 2 has the same record id with other values"}


# What is refused by row


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"被叫号码": "1.39E+10"}, "rounded"),
        ({"被叫号码": "2583001122"}, "lost its leading zero"),
        ({"被叫号码": ""}, "must not be empty"),
        ({"主叫号码": "abc"}, "digits only"),
        ({"开始时间": "2026/11/3 14:05:09"}, "YYYY/MM/DD hh:mm:ss, those of the first rows as YYYY-MM-DD hh:mm:ss"),
        ({"开始时间": "03/11/2026 14:05"}, "two dates"),
        ({"开始时间": "2026-11-03"}, "time of day is missing"),
        ({"开始时间": "2026-02-30 10:00:00"}, "no such date"),
        ({"开始时间": "2099-11-03 14:05:09", "结束时间": ""}, "clock is ahead"),
        ({"开始时间": "1970-01-01 08:00:00"}, "before 2000"),
        ({"结束时间": "2026-11-03 14:05:00"}, "end is before the start"),
        ({"通话时长": "3600"}, "took longer"),
        ({"通话时长": "很久"}, "not a duration"),
        ({"平台": "nobody"}, "no platform nobody"),
        ({"平台": "smsc"}, "no platform smsc"),
        ({"开始时间": "2019-11-03 14:05:09"}, "not in service"),
        ({"活动": "x" * 501}, "longer than 500"),
    ],
)
def test_a_bad_row_is_named_and_the_others_are_taken(importer: Importer, changed: dict[str, str], words: str) -> None:
    done = importer.take(csv_text([call("C1"), call("C2"), call("C3", **changed), call("C4")]))

    reasons = importer.reasons(done.id)
    assert list(reasons) == [4]
    assert words in reasons[4]
    assert [row["record_id"] for row in importer.seen()] == ["C1", "C2", "C4"]


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "number", ["139.1234.5678.0000", "1.3912345678E+10", "１３９１２３４５６７８９", "+852 9123 4567"]
)
def test_a_reason_holds_no_number(importer: Importer, number: str) -> None:
    done = importer.take(csv_text([call("C1"), call("C2", 被叫号码=number)]))

    (words,) = importer.reasons(done.id).values()
    assert sum(letter.isdecimal() for letter in words) <= len("139") + len("20")


def test_rows_of_another_width_and_blank_rows_keep_the_numbers_of_the_others_right(importer: Importer) -> None:
    lines = csv_text([call("C1"), [""] * 9, ["C2", "crm"], call("C3", 被叫号码="x"), [*call("C4"), "one too many"]])

    done = importer.take(lines)

    reasons = importer.reasons(done.id)
    assert {row: words.partition(":")[0][:20] for row, words in reasons.items()} == {
        4: "The row has 2 cells,",
        5: "被叫号码",
        6: "The row has more cel",
    }
    assert (done.rows_total, done.rows_new, done.rows_refused) == (4, 1, 3)


BAD = st.sampled_from(
    [{"被叫号码": "1.39E+10"}, {"开始时间": "x"}, {"结束时间": "2026-11-01 00:00:00"}, {"主叫号码": ""}, {"平台": "?"}]
)


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.none() | BAD, min_size=1, max_size=40), data=st.data())
def test_whatever_is_mixed_good_rows_are_all_there_and_bad_ones_all_named(
    importer: Importer, rows: list[dict[str, str] | None], data: st.DataObject
) -> None:
    mark = f"{importer.newest_id()}-"
    good = [f"{mark}{place}" for place, bad in enumerate(rows) if bad is None]
    content = csv_text([call(f"{mark}{place}", **(bad or {})) for place, bad in enumerate(rows)])

    if good:
        importer.take(content)
    else:
        importer.refuse(content)

    done = importer.newest()
    assert done.rows_total == len(rows)
    assert done.rows_new == len(good)
    assert sorted(importer.reasons(done.id)) == [place + 2 for place, bad in enumerate(rows) if bad is not None]
    assert {row["record_id"] for row in importer.seen() if row["record_id"].startswith(mark)} == set(good)


# What is refused whole


@pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (csv_text([call()], ("甲", *CALLS_HEADER[1:])), "话单号"),
        (csv_text([call()], (*CALLS_HEADER[:-1], "主叫")), "mean the same"),
        (csv_text([]), "no rows"),
        (csv_text([call()]).encode("utf-8")[:-2] + b"\xff\n", "neither UTF-8 nor GB18030"),
        (csv_text([call()]) + '"C2,crm', "quotation marks in or before row 3"),
        (parquet([call()])[:-20], "cut off or damaged"),
        (parquet([call()])[:300], "cut off or damaged"),
        (b"", "empty"),
        (csv_text([call(平台="nobody"), call(平台="nobody")]), "None of the 2 rows"),
    ],
)
def test_a_file_that_cannot_be_judged_is_refused_whole(importer: Importer, content: str | bytes, words: str) -> None:
    refusal = importer.refuse(content)

    assert words in importer.in_english(refusal)
    assert importer.newest().state is RecordImportState.REFUSED
    assert importer.seen() == []


def test_a_row_outside_the_days_that_the_file_is_said_to_cover_is_refused(importer: Importer) -> None:
    late = call("C2", 开始时间="2026-11-05 10:00:00", 结束时间="")

    done = importer.take(csv_text([call(), late]), covers=(CALLED_ON, dt.date(2026, 11, 5)))

    assert "outside the period" in importer.reasons(done.id)[3]
