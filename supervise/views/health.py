"""Whether the application can work, for a load balancer."""

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from supervise import db, schema
from supervise.access.policy import public

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """Answer 200 if the database answers and has this version's schema, else 503; says nothing else to strangers."""
    try:
        is_ready = schema.revision_of(db.current()) == schema.head()
    except SQLAlchemyError:
        is_ready = False
    return {"ready": is_ready}, 200 if is_ready else 503
