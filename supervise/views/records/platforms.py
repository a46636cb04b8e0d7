"""Platforms that deliver records: the list, a new one, its name, its end."""

from flask import render_template, url_for
from flask.typing import ResponseReturnValue

from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.evidence.models import RecordSource
from supervise.evidence.queries import source_by_id, sources_by_code
from supervise.evidence.sources import end_source, open_source, rename_source
from supervise.labels import _
from supervise.parties.official_queries import carriers_by_code
from supervise.views.records.blueprint import bp
from supervise.views.records.forms import PlatformEndForm, PlatformForm, PlatformNameForm
from supervise.views.registers import changed, form_page, history_of, may_write, version_of


@bp.get("/platforms")
@require(Permission.READ_TICKETS)
def platforms() -> ResponseReturnValue:
    """List every platform with the days in which its records are due."""
    with db.reading() as session:
        rows = sources_by_code(session)
        carriers = {one.code: one.name for one in carriers_by_code(session)}
        history = history_of(session, "record_source", None)
    return render_template(
        "records/platforms.html",
        rows=rows,
        carriers=carriers,
        history=history,
        today=clock.today(),
        may_write=may_write(),
    )


@bp.route("/platforms/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new_platform() -> ResponseReturnValue:
    """Enter a platform."""
    with db.reading() as session:
        carriers = carriers_by_code(session)
    form = PlatformForm(carriers)
    if not form.validate_on_submit():
        return form_page(form, title=_("New platform"), words=_("Enter the platform"), cancel_url=url_for(".platforms"))
    db.decide(
        open_source,
        code=form.code.data.strip(),
        name=form.name.data.strip(),
        kind=form.kind.data,
        carrier_code=form.carrier.data,
        valid_from=form.valid_from.data,
        actor_id=current_user().id,
    )
    return changed(url_for(".platforms"))


def _load(source_id: int) -> RecordSource:
    with db.reading() as session:
        return source_by_id(session, source_id)


@bp.route("/platforms/<int:source_id>/name", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def name_platform(source_id: int) -> ResponseReturnValue:
    """Correct what people call a platform."""
    source = _load(source_id)
    form = PlatformNameForm(obj=source)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Name of the platform %(code)s", code=source.code),
            words=_("Save"),
            cancel_url=url_for(".platforms"),
        )
    db.decide(
        rename_source,
        source_id,
        name=form.name.data.strip(),
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(url_for(".platforms"))


@bp.route("/platforms/<int:source_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end_platform(source_id: int) -> ResponseReturnValue:
    """Say from when on a platform delivers no more."""
    source = _load(source_id)
    form = PlatformEndForm(obj=source)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of the platform %(code)s", code=source.code),
            words=_("Set the end"),
            cancel_url=url_for(".platforms"),
            hint=_("From this day on no records of it are missing; what it delivered stays."),
        )
    db.decide(
        end_source,
        source_id,
        valid_to=form.valid_to.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(url_for(".platforms"))
