"""The pages of what parties may do: every capability in time, grant one, correct it, set its end."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from reports.registers import CAPABILITY_COLUMNS, capability_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import capabilities
from supervise.parties.capability_queries import CapabilityLine, capabilities_by_party, capability_in_scope
from supervise.parties.codes import party_named, unit_named
from supervise.views.capabilities.forms import (
    CapabilityFilterForm,
    CorrectCapabilityForm,
    EndCapabilityForm,
    GrantForm,
)
from supervise.views.register_list import RegisterList, by_text_and_id
from supervise.views.registers import changed, form_page, in_scope, named, version_of

bp = Blueprint("capabilities", __name__, url_prefix="/capabilities")

CAPABILITIES = RegisterList(
    name="capabilities",
    title=N_("What parties may do"),
    form=lambda: CapabilityFilterForm(formdata=request.args),
    rows=capabilities_by_party,
    cursor=by_text_and_id(lambda row: (row.party.code, row.row.id)),
    columns=CAPABILITY_COLUMNS,
    lines=capability_lines,
    imports=ImportKind.CAPABILITIES,
)


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List what parties may do by their code, each period a row, a page at a time."""
    return CAPABILITIES.page(today=clock.today())


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return CAPABILITIES.download()


def _page_of(party_id: int) -> str:
    return url_for("parties.detail", party_id=party_id, _anchor="capabilities")


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Note that a party may do something from a day on; ``?party=`` fills its code in."""
    form = GrantForm(party=request.args.get("party", ""))
    is_valid = form.validate_on_submit()
    party = named(form.party, party_named) if is_valid else None
    area = named(form.area, unit_named) if is_valid and form.area.data else None
    if party is None or form.errors:
        return form_page(
            form,
            title=_("What a party may do"),
            words=_("Grant it"),
            cancel_url=url_for(".index"),
            hint=_("A party that does this without being allowed to at that moment is suspected of an offence."),
        )
    db.decide(
        capabilities.grant_capability,
        party_id=party.id,
        capability=form.capability.data,
        area_unit_id=area.id if area is not None else None,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        source=form.source.data.strip(),
        actor_id=current_user().id,
    )
    return changed(_page_of(party.id))


@bp.route("/<int:capability_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(capability_id: int) -> ResponseReturnValue:
    """End a capability, or correct its end."""
    line = in_scope(capability_in_scope, capability_id)
    form = EndCapabilityForm(on=line.row.valid_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of what a party may do"),
            words=_("Set the end"),
            cancel_url=_page_of(line.party.id),
            hint=_named(line),
        )
    db.decide(
        capabilities.end_capability,
        capability_id,
        on=form.on.data,
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    return changed(_page_of(line.party.id))


@bp.route("/<int:capability_id>/correct", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def correct(capability_id: int) -> ResponseReturnValue:
    """Correct a period or a source that was entered wrongly; the trail keeps it as it was."""
    line = in_scope(capability_in_scope, capability_id)
    form = CorrectCapabilityForm(obj=line.row)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Correct what a party may do"),
            words=_("Save"),
            cancel_url=_page_of(line.party.id),
            hint=_named(line),
        )
    db.decide(
        capabilities.correct_capability,
        capability_id,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        source=form.source.data.strip(),
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(line.party.id))


def _named(line: CapabilityLine) -> str:
    area = line.area.name if line.area is not None else _("Every area")
    return f"{line.party.name}: {line.row.capability.label} ({area})"
