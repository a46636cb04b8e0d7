"""The list of sanctions within the user's scope, as page and file, and what other systems carry out, as JSON."""

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from reports.sanctions import SANCTION_COLUMNS, as_json, sanction_lines
from supervise import clock, db
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.labels import N_
from supervise.penalties.sanction_queries import in_force_for_systems, sanctions_newest_first, stage_of
from supervise.penalties.sanction_words import because
from supervise.views.register_list import RegisterList, by_id
from supervise.views.registers import scope_of
from supervise.views.sanctions.blueprint import bp
from supervise.views.sanctions.forms import SanctionFilterForm

SANCTIONS = RegisterList(
    name="sanctions",
    title=N_("Sanctions"),
    form=lambda: SanctionFilterForm(formdata=request.args),
    rows=sanctions_newest_first,
    cursor=by_id(lambda line: line.row.id),
    columns=SANCTION_COLUMNS,
    lines=sanction_lines,
    writes=Permission.PROPOSE_SANCTIONS,
)


@bp.get("/")
@require(Permission.READ_SANCTIONS)
def index() -> ResponseReturnValue:
    """List sanctions, the newest first, a page at a time."""
    return SANCTIONS.page(today=clock.today(), stage_of=stage_of, because=because)


@bp.get("/export")
@require(Permission.READ_SANCTIONS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return SANCTIONS.download()


@bp.get("/in-force.json")
@require(Permission.READ_SANCTIONS)
def in_force() -> ResponseReturnValue:
    """Give what is in force today to the systems that carry it out: suspended parties, numbers shut down, restored."""
    today = clock.today()
    with db.reading() as session:
        found = in_force_for_systems(session, scope_of(session), today)
        response = jsonify(as_json(found, today))
    response.headers["Cache-Control"] = "no-store"
    return response
