"""The pages of sales channels: list, page with every period of the code, assign, correct, end."""

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from reports.registers import SALES_CHANNEL_COLUMNS, sales_channel_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import sales_channels
from supervise.parties.codes import party_named
from supervise.parties.sales_channel_queries import channel_in_scope, channels_by_code, periods_of_channel
from supervise.views.register_list import RegisterList, by_text_and_id
from supervise.views.registers import changed, form_page, history_of, in_scope, may_write, named, scope_of, version_of
from supervise.views.sales_channels.forms import (
    AssignChannelForm,
    CorrectChannelForm,
    EndChannelForm,
    SalesChannelFilterForm,
)

bp = Blueprint("sales_channels", __name__, url_prefix="/sales-channels")

SALES_CHANNELS = RegisterList(
    name="sales_channels",
    title=N_("Sales channels"),
    form=lambda: SalesChannelFilterForm(formdata=request.args),
    rows=channels_by_code,
    cursor=by_text_and_id(lambda row: (row.row.channel_code, row.row.id)),
    columns=SALES_CHANNEL_COLUMNS,
    lines=sales_channel_lines,
    imports=ImportKind.SALES_CHANNELS,
)


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the channels by code, each period a row, a page at a time."""
    return SALES_CHANNELS.page(today=clock.today())


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return SALES_CHANNELS.download()


@bp.get("/<int:channel_id>")
@require(Permission.READ_REGISTERS)
def detail(channel_id: int) -> ResponseReturnValue:
    """Show a channel, every period of its code that the user sees, and its history."""
    with db.reading() as session:
        scope = scope_of(session)
        line = channel_in_scope(session, scope, channel_id)
        facts = {
            "line": line,
            "periods": periods_of_channel(session, scope, line.row.channel_code),
            "history": history_of(session, "sales_channel", channel_id),
        }
    return render_template("sales_channels/detail.html", may_write=may_write(), **facts)


def _page_of(channel_id: int) -> str:
    return url_for(".detail", channel_id=channel_id)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Note that a party sells under a channel code from a day on."""
    form = AssignChannelForm(party=request.args.get("party", ""))
    party = named(form.party, party_named) if form.validate_on_submit() else None
    if party is None:
        return form_page(form, title=_("New sales channel"), words=_("Add the channel"), cancel_url=url_for(".index"))
    row = db.decide(
        sales_channels.assign_channel,
        channel_code=form.channel_code.data.strip(),
        name=form.name.data.strip(),
        kind=form.kind.data,
        party_id=party.id,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        actor_id=current_user().id,
    )
    return changed(_page_of(row.id))


@bp.route("/<int:channel_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(channel_id: int) -> ResponseReturnValue:
    """Let the party sell under the code no more, or correct the end."""
    line = in_scope(channel_in_scope, channel_id)
    form = EndChannelForm(on=line.row.valid_to)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("End of channel %(code)s", code=line.row.channel_code),
            words=_("Set the end"),
            cancel_url=_page_of(channel_id),
            hint=line.party.name,
        )
    db.decide(
        sales_channels.end_channel, channel_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id
    )
    return changed(_page_of(channel_id))


@bp.route("/<int:channel_id>/correct", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def correct(channel_id: int) -> ResponseReturnValue:
    """Correct what was entered wrongly, the party too; the trail keeps it as it was."""
    line = in_scope(channel_in_scope, channel_id)
    form = CorrectChannelForm(obj=line.row, data={"party": line.party.code})
    party = named(form.party, party_named) if form.validate_on_submit() else None
    if party is None:
        return form_page(
            form,
            title=_("Correct channel %(code)s", code=line.row.channel_code),
            words=_("Save"),
            cancel_url=_page_of(channel_id),
            hint=_("If the channel went over to another party, set its end and add the next period instead."),
        )
    db.decide(
        sales_channels.correct_channel,
        channel_id,
        name=form.name.data.strip(),
        kind=form.kind.data,
        party_id=party.id,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(channel_id))
