"""What a party owes beside penalties, on the pages of its statement and its settlement; the letter of the statement."""

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from supervise.penalties.fine_models import FineRecourse
from supervise.penalties.recovery_models import Recovery
from supervise.settlement.models import Settlement
from tests.factories.settlement import draft_run, make_deposit, make_due_recourse, make_due_recovery, settlement_of
from tests.views.money_pages import Scene, arranged, browser, make_scene

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


@pytest.fixture
def scene(app: Flask) -> Scene:
    return arranged(app, make_scene)


@pytest.fixture
def claims(app: Flask, scene: Scene) -> tuple[Recovery, FineRecourse]:
    def make(session: Session) -> tuple[Recovery, FineRecourse]:
        recovery = make_due_recovery(session, charged=scene.partner)
        return recovery, make_due_recourse(session, charged=scene.partner)

    return arranged(app, make)


def test_a_statement_leads_from_each_claim_to_what_it_stands_on(
    app: Flask, scene: Scene, claims: tuple[Recovery, FineRecourse]
) -> None:
    recovery, claim = claims
    address = f"/statements/{scene.partner.party.id}"

    ours, theirs = (browser(app, name).get(address).text for name in ("supervisor", "contact"))

    for page in (ours, theirs):
        assert recovery.reference in page
        assert claim.reference in page
    assert f"/incidents/{recovery.incident_id}" in ours
    assert f"/fines/{claim.fine_id}" in ours
    # The party reads what it owes; our registers stay ours.
    assert "/incidents/" not in theirs
    assert "/fines/" not in theirs


def test_the_letter_is_for_the_party_and_for_finance_and_for_nobody_who_sees_a_part(
    app: Flask, scene: Scene, claims: tuple[Recovery, FineRecourse]
) -> None:
    del claims
    address = f"/statements/{scene.partner.party.id}/letter.pdf"

    answers = {name: browser(app, name).get(address) for name in ("contact", "finance", "sponsor")}

    assert {name: answer.status_code for name, answer in answers.items()} == {
        "contact": 200,
        "finance": 200,
        "sponsor": 403,
    }
    assert answers["contact"].data.startswith(b"%PDF-1.7")
    assert "letter.pdf" in browser(app, "contact").get(f"/statements/{scene.partner.party.id}").text
    assert "letter.pdf" not in browser(app, "sponsor").get(f"/statements/{scene.partner.party.id}").text
    # Another party's is not found at all.
    assert browser(app, "contact").get(f"/statements/{scene.branch.party.id}/letter.pdf").status_code == 404


def test_the_preview_and_its_page_name_claims_beside_penalties(
    app: Flask, scene: Scene, claims: tuple[Recovery, FineRecourse]
) -> None:
    recovery, claim = claims

    def make(session: Session) -> Settlement:
        make_deposit(session, charged=scene.partner, amount_fen=1_000_00)
        return settlement_of(session, draft_run(session), scene.partner)

    settlement = arranged(app, make)
    finance = browser(app, "finance")

    run = finance.get(f"/settlements/runs/{settlement.run_id}").text
    notice = finance.get(f"/settlements/notices/{settlement.id}").text

    assert "600.00" in run
    assert "850.00" in run
    assert recovery.reference in notice
    assert claim.reference in notice
    assert f"/fines/{claim.fine_id}" in notice
