"""Whether the application can work, for a load balancer."""

import functools

from alembic.runtime.migration import MigrationContext
from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy.exc import SQLAlchemyError

from supervise import db, schema
from supervise.access.policy import public

bp = Blueprint("health", __name__)

#: The migrations beside a running program do not change; reading them takes a second.
_head = functools.cache(schema.head)


@bp.get("/healthz")
@public
def healthz() -> ResponseReturnValue:
    """Answer 200 if the database answers and has this version's schema, else 503; says nothing else to strangers."""
    try:
        with db.reading() as session:
            revision = MigrationContext.configure(session.connection()).get_current_revision()
        is_ready = revision == _head()
    except SQLAlchemyError:
        is_ready = False
    return {"ready": is_ready}, 200 if is_ready else 503
