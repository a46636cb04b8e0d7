"""How long what is final has been open, by party."""

import datetime as dt

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from reports.settlement import build_ageing_workbook
from supervise import clock, db
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.settlement.ageing import Age, ageing
from supervise.views.addresses import address_with
from supervise.views.downloads import send_workbook
from supervise.views.settlements.blueprint import bp
from supervise.views.settlements.forms import AgeingForm


@bp.get("/ageing")
@require(Permission.READ_LEDGER)
def aged() -> ResponseReturnValue:
    """Show what each party owes by age, the largest debt first."""
    form, day = _asked()
    with db.reading() as session:
        rows = ageing(session, day)
    totals = {age: sum(row.fen[age] for row in rows) for age in Age}
    form.on.data = day
    return render_template(
        "settlements/ageing.html",
        form=form,
        rows=rows,
        ages=list(Age),
        totals=totals,
        day=day,
        workbook_url=address_with(".aged_workbook"),
    )


@bp.get("/ageing/workbook")
@require(Permission.READ_LEDGER)
def aged_workbook() -> Response:
    """Hand the ageing over as a workbook."""
    _form, day = _asked()
    with db.reading() as session:
        rows = ageing(session, day)
    return send_workbook(f"ageing-{day}.xlsx", lambda path: build_ageing_workbook(rows, day, path, clock.now()))


def _asked() -> tuple[AgeingForm, dt.date]:
    form = AgeingForm(formdata=request.args)
    form.validate()
    return form, form.on.data if form.on.data and not form.on.errors else clock.today()
