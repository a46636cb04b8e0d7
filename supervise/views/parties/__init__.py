"""The pages of responsible parties: list, page, enter, edit, standing, other names, ties, merging."""

from collections.abc import Sequence
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from reports.registers import PARTY_COLUMNS, party_lines
from supervise import clock, db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.attribution.reporters import suspected_parties
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import queries, register, relations
from supervise.parties.capability_queries import capabilities_of_party
from supervise.parties.chain import chain_at, sponsoring_unit
from supervise.parties.codes import party_named
from supervise.parties.models import Party, PartyStatus
from supervise.parties.number_queries import numbers_of_party
from supervise.parties.queries import party_in_scope
from supervise.parties.register import Tie
from supervise.parties.sales_channel_queries import channels_of_party
from supervise.parties.sanctions import standing_at
from supervise.views.parties import merging
from supervise.views.parties.blueprint import bp
from supervise.views.parties.consequences import consequences_of
from supervise.views.parties.forms import (
    AliasForm,
    EditPartyForm,
    EnterPartyForm,
    PartyFilterForm,
    RelateForm,
    StatusForm,
)
from supervise.views.parties.money import money_of
from supervise.views.register_list import RegisterList, by_text_and_id
from supervise.views.registers import (
    changed,
    form_page,
    history_of,
    in_scope,
    may_propose,
    may_write,
    named,
    scope_of,
    sees_suspicion,
    version_of,
)

__all__ = ["bp", "merging"]


def _kinds(session: Session, rows: Sequence[Party]) -> dict[str, Any]:
    """Return what the carrier's own parties are in its tree."""
    return {"unit_kinds": queries.unit_kinds(session, [row.org_unit_id for row in rows if row.org_unit_id is not None])}


def _beside(session: Session, rows: Sequence[Party]) -> dict[str, Any]:
    """Return what the list shows of the parties on a page besides: place in the tree, sanctions in force."""
    return {**_kinds(session, rows), "standing": standing_at(session, [row.id for row in rows], clock.today())}


PARTIES = RegisterList(
    name="parties",
    title=N_("Parties"),
    form=lambda: PartyFilterForm(formdata=request.args),
    rows=queries.parties_by_name,
    cursor=by_text_and_id(lambda row: (row.name, row.id)),
    beside=_beside,
    columns=PARTY_COLUMNS,
    lines=party_lines,
    imports=ImportKind.PARTIES,
)


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the parties by name, a page at a time."""
    return PARTIES.page()


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return PARTIES.download()


@bp.get("/<int:party_id>")
@require(Permission.READ_REGISTERS)
def detail(party_id: int) -> ResponseReturnValue:
    """Show a party: chain, ties in time, numbers, other names, history."""
    with db.reading() as session:
        scope = scope_of(session)
        party = party_in_scope(session, scope, party_id)
        chain = chain_at(session, party_id, clock.today())
        facts = {
            "party": party,
            **_kinds(session, [party]),
            "suspicion": suspected_parties(session, [party_id], clock.today()).get(party_id)
            if sees_suspicion()
            else None,
            "merged_into": session.get(Party, party.merged_into_id) if party.merged_into_id else None,
            "chain": chain,
            "has_sponsor": sponsoring_unit(chain) is not None,
            "above": queries.relations_above(session, party_id),
            "below": queries.relations_below(session, party_id),
            "numbers": numbers_of_party(session, party_id),
            "aliases": queries.aliases_of(session, party_id),
            "capabilities": capabilities_of_party(session, party_id),
            "channels": channels_of_party(session, party_id),
            "consequences": consequences_of(session, party_id, party.code),
            "money": money_of(session, party),
            "visible": scope,
            "history": history_of(session, "party", party_id),
            # A branch itself changes as an org unit; what it may do is granted here.
            "keeps_registers": may_write(),
            "may_write": may_write() and party.org_unit_id is None,
            "propose_url": url_for("register_proposals.new", party=party.code) if may_propose() else None,
        }
    return render_template("parties/detail.html", **facts)


def _page_of(party_id: int) -> str:
    return url_for(".detail", party_id=party_id)


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def new() -> ResponseReturnValue:
    """Enter a party; without anybody above it, it is only claimed."""
    form = EnterPartyForm()
    above = named(form.above, party_named) if form.validate_on_submit() and form.above.data else None
    if not form.is_submitted() or form.errors:
        return form_page(form, title=_("New party"), words=_("Enter the party"), cancel_url=url_for(".index"))
    party = db.decide(
        register.enter_party,
        code=form.code.data.strip(),
        kind=form.kind.data,
        name=form.name.data.strip(),
        tie=Tie(above.id, form.role.data, form.valid_from.data) if above is not None else None,
        status=PartyStatus.REGISTERED if above is not None else PartyStatus.CLAIMED,
        credit_code=form.credit_code.data or None,
        is_person=form.is_person.data,
        contact=form.contact.data or None,
        note=form.note.data or None,
        actor_id=current_user().id,
    )
    return changed(_page_of(party.id))


@bp.route("/<int:party_id>/edit", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def edit(party_id: int) -> ResponseReturnValue:
    """Change what the register says of the party."""
    party = in_scope(party_in_scope, party_id)
    form = EditPartyForm(obj=party)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Edit %(name)s", name=party.name),
            words=_("Save"),
            cancel_url=_page_of(party_id),
        )
    db.decide(
        register.edit_party,
        party_id,
        name=form.name.data.strip(),
        credit_code=form.credit_code.data or None,
        is_person=form.is_person.data,
        contact=form.contact.data or None,
        note=form.note.data or None,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(party_id))


@bp.route("/<int:party_id>/status", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def status(party_id: int) -> ResponseReturnValue:
    """Register, suspend, terminate or reinstate the party."""
    party = in_scope(party_in_scope, party_id)
    form = StatusForm(obj=party)
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Standing of %(name)s", name=party.name),
            words=_("Save"),
            cancel_url=_page_of(party_id),
            hint=_("Numbers, staff numbers and ties keep their dates: end those on the day they really ended.")
            + " "
            + _("What is open of a terminated party is settled as before; its contracts are ended by amendments."),
        )
    db.decide(
        register.change_status,
        party_id,
        status=form.status.data,
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(party_id))


@bp.route("/<int:party_id>/alias", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def alias(party_id: int) -> ResponseReturnValue:
    """Note another name of the party."""
    party = in_scope(party_in_scope, party_id)
    form = AliasForm()
    if not form.validate_on_submit():
        return form_page(
            form,
            title=_("Another name of %(name)s", name=party.name),
            words=_("Add the name"),
            cancel_url=_page_of(party_id),
        )
    db.decide(
        register.add_alias,
        party_id,
        name=form.name.data.strip(),
        source=form.source.data.strip(),
        actor_id=current_user().id,
    )
    return changed(_page_of(party_id))


@bp.route("/<int:party_id>/relate", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def relate(party_id: int) -> ResponseReturnValue:
    """Tie the party to a branch or another party."""
    party = in_scope(party_in_scope, party_id)
    form = RelateForm()
    parent = named(form.parent, party_named) if form.validate_on_submit() else None
    if parent is None:
        return form_page(
            form,
            title=_("Whom %(name)s works for", name=party.name),
            words=_("Add the tie"),
            cancel_url=_page_of(party_id),
        )
    db.decide(
        relations.relate,
        child_id=party_id,
        parent_id=parent.id,
        role=form.role.data,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        actor_id=current_user().id,
    )
    return changed(_page_of(party_id))
