"""Keeping the filters of the queue under a name, for oneself or for all."""

from urllib.parse import parse_qsl, urlencode

from flask import flash, redirect, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, StringField
from wtforms.validators import InputRequired, Length

from supervise import db
from supervise.access.identity import current_user
from supervise.access.policy import require
from supervise.access.roles import Permission
from supervise.desk.saved_views import delete_view, save_view
from supervise.labels import _, _l
from supervise.views.forms import Form
from supervise.views.remembering import forget
from supervise.views.tickets.blueprint import bp
from supervise.views.typed_numbers import hide_numbers

_FILTERS = frozenset({"q", "state", "channel", "due", "unit", "party", "since", "last", "undecided"})


def views_key(user_id: int) -> tuple[str, int]:
    """Return under which key the views that a user may choose are remembered."""
    return ("views", user_id)


class ViewForm(Form):
    """The name of a view; its filters are those on screen."""

    name = StringField(_l("Name of the view"), validators=[InputRequired(_l("Enter a name")), Length(max=40)])
    shared = BooleanField(_l("Show it to all colleagues"))
    query = HiddenField(validators=[Length(max=2_000)])


@bp.post("/views")
@require(Permission.READ_TICKETS)
def save() -> ResponseReturnValue:
    """Keep the filters on screen."""
    form = ViewForm()
    filters = [(name, value) for name, value in parse_qsl(form.query.data or "") if name in _FILTERS and value]
    query = urlencode([(name, hide_numbers(value, name)) for name, value in filters])
    if not form.validate():
        flash(" ".join(str(error) for errors in form.errors.values() for error in errors), "danger")
    else:
        me = current_user()
        db.decide(save_view, name=form.name.data.strip(), query=query, shared=form.shared.data, actor_id=me.id)
        forget(views_key(me.id))
        flash(_("The view is kept"), "success")
    return redirect(f"{url_for('.queue')}?{query}", code=303)


@bp.post("/views/<int:view_id>/delete")
@require(Permission.READ_TICKETS)
def drop(view_id: int) -> ResponseReturnValue:
    """Forget a view of one's own."""
    me = current_user()
    db.decide(delete_view, view_id, actor_id=me.id)
    forget(views_key(me.id))
    flash(_("The view is gone"), "success")
    return redirect(url_for(".queue"), code=303)
