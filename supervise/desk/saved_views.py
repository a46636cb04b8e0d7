"""Views of the queue that people name and keep: their own, and those that colleagues share (domain F11)."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.access.models import User
from supervise.audit.record import record_event
from supervise.desk.models import SavedView
from supervise.errors import ConflictError, NotFoundError
from supervise.labels import N_


class NameTakenError(ConflictError):
    """A user's views are told apart by their names."""

    message = N_("You have a view called “%(name)s” already")


class ViewLine(NamedTuple):
    """A view that a user may choose, and whose it is."""

    view: SavedView
    owner: str
    is_own: bool


def views_for(session: Session, user_id: int) -> Sequence[ViewLine]:
    """Return the user's own views and the shared ones, own first, by name."""
    query = (
        select(SavedView, User.display_name)
        .join(User, User.id == SavedView.user_id)
        .where(or_(SavedView.user_id == user_id, SavedView.shared))
        .order_by((SavedView.user_id != user_id), SavedView.name, SavedView.id)
        .limit(40)
    )
    return [ViewLine(view, owner, view.user_id == user_id) for view, owner in session.execute(query)]


def save_view(session: Session, *, name: str, query: str, shared: bool, actor_id: int) -> SavedView:
    """Keep the filters of *query* (a query string without leading mark) under *name*.

    Raises:
        NameTakenError: if the user has a view of that name; the database refuses the same.
    """
    taken = select(SavedView.id).where(SavedView.user_id == actor_id, SavedView.name == name)
    if session.scalar(taken) is not None:
        raise NameTakenError(name=name)
    view = SavedView(user_id=actor_id, name=name, query=query, shared=shared)
    session.add(view)
    session.flush()
    record_event(
        session,
        actor_id=actor_id,
        action="saved_view.created",
        subject="saved_view",
        subject_id=view.id,
        changes={"shared": shared},
    )
    return view


def delete_view(session: Session, view_id: int, *, actor_id: int) -> None:
    """Forget one of the user's own views.

    Raises:
        NotFoundError: if there is none, or it is somebody else's.
    """
    view = session.get(SavedView, view_id)
    if view is None or view.user_id != actor_id:
        raise NotFoundError
    session.delete(view)
    session.flush()
    record_event(session, actor_id=actor_id, action="saved_view.deleted", subject="saved_view", subject_id=view_id)
