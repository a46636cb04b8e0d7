"""The daily job of consequences: twice does nothing twice, and a top-up that nobody made is seen."""

import datetime as dt

import pytest
from flask import Flask
from sqlalchemy import select

from supervise import clock, db
from supervise.jobs.consequences import draw_consequences
from supervise.parties.models import Party
from supervise.parties.sanction_models import Sanction, SanctionKind
from supervise.settlement.models import Settlement, TopUpCall
from supervise.views.background import surroundings
from tests.factories.penalties import make_charged_partner
from tests.factories.points import make_final_penalty
from tests.factories.settlement import draft_run, make_deposit, posted
from tests.factories.settlement import make_final_penalty as make_owed_penalty

pytestmark = pytest.mark.parametrize("engine_name", ["sqlite"], indirect=True)


def sanctions(app: Flask) -> list[tuple[str, SanctionKind]]:
    with app.app_context(), db.reading() as session:
        rows = session.execute(select(Party.name, Sanction.kind).join(Party, Party.id == Sanction.party_id))
        return sorted((name, kind) for name, kind in rows)


def test_points_and_late_top_ups_lead_to_proposals_once(app: Flask) -> None:
    with app.app_context():
        with db.writing() as session:
            pointed, owing = make_charged_partner(session), make_charged_partner(session)
            pointed.party.name, owing.party.name = "扣分", "欠补"
            make_final_penalty(session, charged=pointed, final_on=clock.today(), points=20)
            make_owed_penalty(session, charged=owing)
            make_deposit(session, charged=owing, amount_fen=500_00)
            posted(session, draft_run(session))
            settlement = session.scalars(select(Settlement)).first()
            assert settlement is not None
            yesterday = clock.today() - dt.timedelta(days=1)
            session.add(
                TopUpCall(settlement_id=settlement.id, party_id=owing.party.id, amount_fen=20000, due_on=yesterday)
            )
        for _twice in range(2):
            draw_consequences(surroundings())

    assert sanctions(app) == [("扣分", SanctionKind.OUTBOUND_SUSPENSION), ("欠补", SanctionKind.ENTRY_RESTRICTION)]
