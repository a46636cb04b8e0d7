"""Answered calls and orders come in as a file: recorded once, corrected by a later one, refused by row."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from supervise.cipher import Keyring
from supervise.files.models import ImportBatch, ImportKind
from supervise.labels import use_locale
from supervise.parties.models import Party
from supervise.penalties.figure_file import FigureFile
from supervise.penalties.merge_parties import merge_parties
from supervise.penalties.monthly_figures import figures_of
from supervise.penalties.pricing import FigureKind
from tests.factories.import_desk import Desk
from tests.factories.parties import make_party

HEADER = ("月份", "责任方编码", "接通量", "订单量", "来源")
Row = tuple[str, str, str, str, str]


@pytest.fixture
def desk(session: Session, keyring: Keyring, tmp_path: Path) -> Desk:
    return Desk(session, keyring, tmp_path, {ImportKind.MONTH_FIGURES: FigureFile()})


@pytest.fixture
def party(session: Session) -> Party:
    return make_party(session, code="A1")


def bring_in(desk: Desk, *rows: Row) -> ImportBatch:
    with use_locale("en"):
        return desk.bring_in(ImportKind.MONTH_FIGURES, [HEADER, *rows])


def recorded(session: Session, party: Party, month: str = "2026-09") -> dict[FigureKind, int]:
    return {row.kind: row.amount for row in figures_of(session, [party.id], month)}


def test_a_row_records_answered_calls_and_orders_with_their_source(session: Session, desk: Desk, party: Party) -> None:
    batch = bring_in(desk, ("2026年9月", "A1", "12,500", "310", "外呼平台月报"))

    assert recorded(session, party) == {FigureKind.ANSWERED_CALLS: 12_500, FigureKind.ORDERS: 310}
    assert {f"外呼平台月报 (File import {batch.id}, row 2)"} == {
        row.source for row in figures_of(session, [party.id], "2026-09")
    }


def test_a_later_file_corrects_and_an_equal_one_changes_nothing(session: Session, desk: Desk, party: Party) -> None:
    bring_in(desk, ("2026-09", "A1", "100", "10", ""))

    again = bring_in(desk, ("2026-09", "A1", "100", "10", ""))
    corrected = bring_in(desk, ("2026-09", "A1", "120", "", ""))

    assert (again.rows_known, again.rows_changed) == (1, 0)
    assert desk.words(corrected) == {2: "Answered calls recorded before: 100"}
    assert recorded(session, party) == {FigureKind.ANSWERED_CALLS: 120, FigureKind.ORDERS: 10}


def test_rows_that_cannot_be_stay_out_and_say_why(session: Session, desk: Desk, party: Party) -> None:
    merged = make_party(session, code="A2", name="旧名")
    merge_parties(session, merged.id, into_id=party.id, reason="同一家", actor_id=1)

    batch = bring_in(
        desk,
        ("2026-09", "A1", "100", "", ""),
        ("2026-09", "A1", "200", "", ""),
        ("2026-13", "A1", "1", "", ""),
        ("2099-01", "A1", "1", "", ""),
        ("2026-09", "A1", "", "", ""),
        ("2026-09", "A1", "-5", "", ""),
        ("2026-09", "ZZ", "1", "", ""),
        ("2026-09", "A2", "1", "", ""),
    )

    words = desk.words(batch)
    assert (batch.rows_new, batch.rows_error) == (1, 7)
    assert words[3] == "Row 2 has this party and month already"
    assert "2026-13" in words[4]
    assert "has not begun" in words[5]
    assert "neither answered calls nor orders" in words[6]
    assert words[8] == "No party has the code ZZ"
    assert words[9] == "旧名 was merged into another party; use that one's code"
    assert recorded(session, party) == {FigureKind.ANSWERED_CALLS: 100}
