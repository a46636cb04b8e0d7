"""Files of ties between parties and of official numbers: judged row by row, taken over whole."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.registers import OFFICIAL_COLUMNS, RELATION_COLUMNS, official_lines, relation_lines
from supervise.cipher import Keyring
from supervise.files.models import ImportKind
from supervise.parties.models import OfficialNumber, PartyRelation, RelationRole
from supervise.parties.official_queries import OfficialFilters
from supervise.parties.officials import official_uses_at
from supervise.parties.relation_queries import RelationFilters
from supervise.parties.scope import Scope
from tests.factories.import_desk import Desk
from tests.factories.parties import EVER_SINCE, make_carrier, make_party, make_relation, make_unit, unit_party

MARCH = dt.date(2026, 3, 1)
TIES = ("责任方编码", "关系", "上级编码", "生效日期", "停用日期")
OFFICIALS = ("运营商", "号码", "用途", "依据", "生效日期", "停用日期")


@pytest.fixture
def desk(session: Session, keyring: Keyring, tmp_path: Path) -> Desk:
    return Desk(session, keyring, tmp_path)


def test_ties_come_in_with_their_periods(session: Session, desk: Desk) -> None:
    branch = unit_party(session, make_unit(session, code="029"))
    agent = make_party(session, code="A1")

    batch = desk.bring_in(ImportKind.RELATIONS, [TIES, ("A1", "归口机构", "029", "2026-03-01", "2026-06-01")])

    assert batch.rows_new == 1, desk.words(batch)
    tie = session.scalars(select(PartyRelation)).one()
    assert (tie.child_id, tie.parent_id, tie.role) == (agent.id, branch.id, RelationRole.SPONSORED_BY)
    assert (tie.valid_from, tie.valid_to) == (MARCH, dt.date(2026, 6, 1))


def test_a_second_parent_in_a_role_is_an_error_of_its_row(session: Session, desk: Desk) -> None:
    first, second, _third = (make_party(session, code=code, name=f"公司{code}") for code in ("A1", "A2", "A3"))
    make_relation(session, child=first, parent=second)

    batch = desk.preview(
        ImportKind.RELATIONS,
        [
            TIES,
            ("A1", "sponsored_by", "A3", "2026-03-01", ""),
            ("A2", "sub_agent_of", "A3", "2026-03-01", ""),
            ("A2", "sub_agent_of", "A1", "2026-04-01", ""),
        ],
    )

    words = desk.words(batch)
    assert (batch.rows_new, batch.rows_error) == (1, 2)
    assert "already stands below 公司A2" in words[2]
    assert words[4].startswith("Row 3 puts the party below 公司A3")


def test_a_circle_is_an_error_of_the_row_that_closes_it(session: Session, desk: Desk) -> None:
    first, second, _third = (make_party(session, code=code, name=f"公司{code}") for code in ("A1", "A2", "A3"))
    make_relation(session, child=first, parent=second, role=RelationRole.STAFFED_TO)

    batch = desk.preview(
        ImportKind.RELATIONS,
        [
            TIES,
            ("A2", "sub_agent_of", "A3", "2026-03-01", ""),
            ("A3", "sub_agent_of", "A1", "2026-03-01", ""),
        ],
    )

    assert (batch.rows_new, batch.rows_error) == (1, 1)
    assert "公司A3 would stand above itself" in desk.words(batch)[3]


def test_a_branch_and_an_unknown_party_are_named(session: Session, desk: Desk) -> None:
    make_unit(session, code="029", name="城关分公司")
    make_party(session, code="A1")

    batch = desk.preview(
        ImportKind.RELATIONS,
        [
            TIES,
            ("029", "sponsored_by", "A1", "2026-03-01", ""),
            ("A1", "sponsored_by", "A9", "2026-03-01", ""),
        ],
    )

    words = desk.words(batch)
    assert "城关分公司 is a branch" in words[2]
    assert "No party has the code A9" in words[3]


def test_an_end_that_the_register_did_not_know_is_set(session: Session, desk: Desk) -> None:
    branch = unit_party(session, make_unit(session, code="029"))
    tie = make_relation(session, child=make_party(session, code="A1"), parent=branch)
    begun = f"{EVER_SINCE}"

    batch = desk.bring_in(ImportKind.RELATIONS, [TIES, ("A1", "sponsored_by", "029", begun, "2026-03-01")])

    assert batch.rows_changed == 1
    session.refresh(tie)
    assert tie.valid_to == MARCH


def test_official_numbers_come_in_and_a_second_declaration_is_named(session: Session, desk: Desk) -> None:
    make_carrier(session, code="CU")

    batch = desk.bring_in(
        ImportKind.OFFICIAL_NUMBERS,
        [
            OFFICIALS,
            ("CU", "10018", "hotline", "公告", "2026-03-01", ""),
            ("CU", "10018", "hotline", "公告", "2026-04-01", ""),
            ("CM", "10016", "outbound", "公告", "2025-08-01", ""),
            ("XX", "10019", "hotline", "公告", "2026-03-01", ""),
        ],
    )

    words = desk.words(batch)
    assert (batch.rows_new, batch.rows_error) == (2, 2)
    assert words[3].startswith("Row 2 declares this number for the same use")
    assert "There is no carrier XX" in words[5]
    official = official_uses_at(session, [("10018", MARCH)])["10018", MARCH]
    assert official.legal_basis == "公告"


@pytest.mark.parametrize("locale", ["zh_Hans", "en"])
def test_what_goes_out_comes_in_again_as_known(session: Session, desk: Desk, locale: str) -> None:
    branch = unit_party(session, make_unit(session, code="029"))
    make_relation(session, child=make_party(session, code="A1"), parent=branch)
    ties = relation_lines(session, Scope.everything(), RelationFilters())

    sent = desk.send_back(RELATION_COLUMNS, ties, ImportKind.RELATIONS, locale)
    declared = official_lines(session, OfficialFilters())
    sent_officials = desk.send_back(OFFICIAL_COLUMNS, declared, ImportKind.OFFICIAL_NUMBERS, locale)

    assert (sent.rows_known, sent.rows_total) == (1, 1)
    assert sent_officials.rows_known == sent_officials.rows_total == len(session.scalars(select(OfficialNumber)).all())
