"""The pages of what ties parties to each other: every tie in time, correct a period, set its end.

A tie is made on the page of the party below.
"""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from reports.registers import RELATION_COLUMNS, relation_lines
from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.files.models import ImportKind
from supervise.labels import N_, _
from supervise.parties import relations
from supervise.parties.relation_queries import RelationLine, relation_in_scope, relations_by_child
from supervise.views.register_list import RegisterList, by_text_and_id
from supervise.views.registers import changed, form_page, in_scope, scope_of, version_of
from supervise.views.relations.forms import CorrectRelationForm, EndRelationForm, RelationFilterForm

bp = Blueprint("relations", __name__, url_prefix="/relations")

RELATIONS = RegisterList(
    name="relations",
    title=N_("Ties between parties"),
    form=lambda: RelationFilterForm(formdata=request.args),
    rows=relations_by_child,
    cursor=by_text_and_id(lambda row: (row.child.code, row.relation.id)),
    columns=RELATION_COLUMNS,
    lines=relation_lines,
    imports=ImportKind.RELATIONS,
    new="",
)


@bp.get("/")
@require(Permission.READ_REGISTERS)
def index() -> ResponseReturnValue:
    """List the ties by the party below, each period a row, a page at a time."""
    with db.reading() as session:
        visible = scope_of(session)
    return RELATIONS.page(visible=visible)


@bp.get("/export")
@require(Permission.READ_REGISTERS)
def export() -> ResponseReturnValue:
    """Give the filtered list as a file."""
    return RELATIONS.download()


def _page_of(tie: RelationLine) -> str:
    return url_for("parties.detail", party_id=tie.child.id)


@bp.route("/<int:relation_id>/end", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def end(relation_id: int) -> ResponseReturnValue:
    """End a tie, or correct its end."""
    tie = in_scope(relation_in_scope, relation_id)
    form = EndRelationForm(on=tie.relation.valid_to)
    if not form.validate_on_submit():
        return form_page(form, title=_("End of the tie"), words=_("Save"), cancel_url=_page_of(tie), hint=_named(tie))
    db.decide(relations.end_relation, relation_id, on=form.on.data, reason=form.reason.data, actor_id=current_user().id)
    return changed(_page_of(tie))


@bp.route("/<int:relation_id>/correct", methods=["GET", "POST"])
@require(Permission.WRITE_REGISTERS)
def correct(relation_id: int) -> ResponseReturnValue:
    """Correct a period that was entered wrongly; the trail keeps it as it was."""
    tie = in_scope(relation_in_scope, relation_id)
    form = CorrectRelationForm(obj=tie.relation)
    if not form.validate_on_submit():
        return form_page(
            form, title=_("Correct the tie"), words=_("Correct the period"), cancel_url=_page_of(tie), hint=_named(tie)
        )
    db.decide(
        relations.correct_relation,
        relation_id,
        valid_from=form.valid_from.data,
        valid_to=form.valid_to.data,
        reason=form.reason.data,
        version=version_of(form.version),
        actor_id=current_user().id,
    )
    return changed(_page_of(tie))


def _named(tie: RelationLine) -> str:
    return f"{tie.child.name} ({tie.relation.role.label}: {tie.parent.name})"
