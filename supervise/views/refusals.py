"""Every refusal meets the user here: one page in their language, one audit event, never a second failure."""

import errno
import sqlite3
from typing import Any, NamedTuple

import structlog
from flask import Flask, Response, current_app, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, InternalServerError, SecurityError

from supervise import clock, db
from supervise.access.identity import NotSignedInError, PasswordChangeNeededError, signed_in_user
from supervise.access.login import LoginRefusedError
from supervise.audit.record import record_event
from supervise.errors import ConflictError, InvalidInputError, NotFoundError, RefusalError
from supervise.labels import N_, current_locale, translate
from supervise.views.filters import refusal_words
from supervise.views.requests import request_id

log = structlog.get_logger()

#: Statuses that are written to the audit trail when the refusal is one of ours (issue 2, section 2).
AUDITED = frozenset({401, 403, 404, 409})
#: What a disk, a quota or a limit of the process says when it takes no more.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_POSTGRESQL_DISK_FULL = "53100"
#: When a browser or a load balancer may ask again.
_RETRY_SECONDS = 30
_UNKNOWN_HOST = N_("This server is not known by that name")
#: What werkzeug says in English, for people.
_HTTP_MESSAGES = {
    400: N_("The request is damaged; please go back and try again"),
    404: NotFoundError.message,
    405: N_("This page cannot be used that way"),
    413: N_("The file or the form is too large"),
    415: N_("This kind of content is not accepted"),
}


class ExpiredFormError(RefusalError):
    """The form's CSRF token is missing, old or another session's."""

    message = N_("The form has expired, for instance by signing in again; please reload the page and send it again")


class TakenError(ConflictError):
    """A unique key or another rule of the database said no: somebody was faster."""

    message = N_("This was entered or decided by someone else at the same moment; reload and look again")


class OutOfRangeError(InvalidInputError):
    """A value that the database cannot hold."""

    message = N_("A value is too large or has characters that cannot be stored")


class UnavailableError(RefusalError):
    """The database does not answer, or broke off: a restart, a network, a lock that is held too long."""

    status = 503
    message = N_("The database cannot be reached at this moment")


class StorageFullError(RefusalError):
    """The disk takes no more."""

    status = 507
    message = N_("The disk of the server is full")


class Fact(NamedTuple):
    """What the audit trail keeps of a refusal."""

    action: str
    subject: str
    subject_id: int | str | None
    changes: dict[str, Any]


def init_app(app: Flask) -> None:
    """Send every refusal of *app* through this module."""
    app.register_error_handler(RefusalError, _refuse)
    app.register_error_handler(CSRFError, lambda _error: _refuse(ExpiredFormError()))
    app.register_error_handler(IntegrityError, _refuse_taken)
    app.register_error_handler(DataError, _refuse_out_of_range)
    app.register_error_handler(OverflowError, _refuse_out_of_range)
    app.register_error_handler(OperationalError, _refuse_unavailable)
    app.register_error_handler(InterfaceError, _refuse_unavailable)
    app.register_error_handler(OSError, _refuse_full)
    app.register_error_handler(HTTPException, _refuse_http)
    app.register_error_handler(InternalServerError, _break)


def record_refusal(error: RefusalError) -> None:
    """Write the audit event of *error* in a transaction of its own; the decision's was rolled back."""
    if error.status not in AUDITED:
        return
    user = signed_in_user()
    try:
        db.decide(_write, user.id if user else None, _fact(error), error.message_id)
    except (SQLAlchemyError, db.BusyError):
        # The answer is still a refusal; that the trail misses one must be seen in the log.
        log.exception("refusal not recorded", status=error.status, error=type(error).__name__)


def _write(session: Session, actor_id: int | None, fact: Fact, reason: str) -> None:
    record_event(
        session,
        actor_id=actor_id,
        action=fact.action,
        subject=fact.subject,
        subject_id=fact.subject_id,
        changes=fact.changes,
        reason=reason,
    )


def _fact(error: RefusalError) -> Fact:
    if isinstance(error, LoginRefusedError):
        return Fact("login.refused", "user", error.user_id, {"cause": error.cause})
    changes: dict[str, Any] = {"status": error.status, "error": type(error).__name__, "method": request.method}
    # Only ids: a text in a path could be anything.
    changes |= {name: value for name, value in (request.view_args or {}).items() if isinstance(value, int)}
    return Fact("request.refused", "endpoint", request.endpoint, changes)


def _refuse(error: RefusalError) -> ResponseReturnValue:
    wants_page = request.method in {"GET", "HEAD"} and not _wants_json()
    if isinstance(error, NotSignedInError) and wants_page:
        here = request.full_path if request.query_string else request.path
        return redirect(url_for("session.login", next=here), code=303)
    record_refusal(error)
    if isinstance(error, PasswordChangeNeededError) and wants_page:
        return redirect(url_for("account.password"), code=303)
    response = _page(error.status, str(error))
    if error.status == 429 and "seconds" in error.parameters:  # noqa: PLR2004 - Too Many Requests
        response.headers["Retry-After"] = str(error.parameters["seconds"])
    if isinstance(error, db.BusyError):
        response.headers["Retry-After"] = str(_RETRY_SECONDS)
    return response


def _refuse_taken(error: IntegrityError) -> ResponseReturnValue:
    log.warning("constraint refused", error=type(error).__name__, constraint=_constraint(error))
    return _refuse(TakenError())


def _refuse_out_of_range(error: DataError | OverflowError) -> ResponseReturnValue:
    log.warning("value refused", error=type(error).__name__)
    return _refuse(OutOfRangeError())


def _refuse_unavailable(error: OperationalError | InterfaceError) -> ResponseReturnValue:
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_ERROR:
        raise error  # a statement that is wrong: our fault, not the database's
    is_full = code == sqlite3.SQLITE_FULL or getattr(error.orig, "sqlstate", None) == _POSTGRESQL_DISK_FULL
    log.error("database unavailable", error=type(error.orig).__name__, full=is_full)
    return _lone_page(StorageFullError() if is_full else UnavailableError())


def _refuse_full(error: OSError) -> ResponseReturnValue:
    if error.errno not in _NO_ROOM:
        raise error
    log.error("disk full", error=type(error).__name__)
    return _lone_page(StorageFullError())


def _refuse_http(error: HTTPException) -> ResponseReturnValue:
    if isinstance(error, SecurityError):
        # A Host header that is not ours: no page, since no address of ours can be built for it.
        return make_response(translate(_UNKNOWN_HOST), 400, {"Content-Type": "text/plain; charset=utf-8"})
    code = error.code or 500
    if error.response is not None or code < 400:  # noqa: PLR2004 - the router's redirects
        return error
    message = _HTTP_MESSAGES.get(code)
    response = _page(code, translate(message) if message else error.name)
    for name, value in error.get_headers():
        if name in {"Allow", "Retry-After"}:
            response.headers[name] = value
    return response


def _break(error: InternalServerError) -> ResponseReturnValue:
    return make_response(_page_without_shell(500, ""), error.code)


def _lone_page(error: RefusalError) -> Response:
    headers = {"Retry-After": str(_RETRY_SECONDS)}
    if _wants_json():
        return make_response(jsonify(error=str(error)), error.status, headers)
    return make_response(_page_without_shell(error.status, str(error)), error.status, headers)


def _page_without_shell(status: int, message: str) -> str:
    # The shell asks the database who is signed in, and that may be what broke.
    heading, next_step = refusal_words(status)
    return current_app.jinja_env.get_template("errors/broken.html").render(
        language="en" if current_locale() == "en" else "zh-Hans",
        status=status,
        heading=heading,
        message=message,
        next_step=next_step,
        at=clock.now(),
        request_id=request_id(),
    )


def _page(status: int, message: str) -> Response:
    if _wants_json():
        response = jsonify(error=message)
        response.status_code = status
        return response
    return make_response(render_template("errors/refusal.html", status=status, message=message, at=clock.now()), status)


def _wants_json() -> bool:
    accepted = request.accept_mimetypes
    return accepted.best_match(["text/html", "application/json"]) == "application/json"


def _constraint(error: IntegrityError) -> str | None:
    diagnosis = getattr(error.orig, "diag", None)
    name: str | None = getattr(diagnosis, "constraint_name", None)
    return name or (type(error.orig).__name__ if current_app.debug else None)
