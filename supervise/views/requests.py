"""What surrounds every request: its number, its language, its log line, and input that no page can use."""

import re
import secrets
import time
from contextlib import ExitStack

import structlog
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from werkzeug.routing import IntegerConverter

from supervise.access.identity import signed_in_user
from supervise.audit.record import from_origin
from supervise.labels import DEFAULT_LOCALE, LOCALES, use_locale

log = structlog.get_logger()

LOCALE_COOKIE = "lang"
_LOCALE_COOKIE_SECONDS = 365 * 24 * 3600
#: A form without files: the longest complaint text, or a bulk action over a whole page, many times over.
_FORM_BYTES_MAX = 2 * 1024 * 1024
#: What a login needs, many times over.
_STRANGERS_BYTES_MAX = 64 * 1024
#: PostgreSQL stores no NUL, and no database a lone surrogate (reliability E14).
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Id64Converter(IntegerConverter):
    """``<int:...>`` of 1 to 19 ASCII digits that fit 64 bits; anything else is no such page."""

    regex = r"[0-9]{1,19}"

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"max": 2**63 - 1, **kwargs})  # type: ignore[arg-type]


def init_app(app: Flask) -> None:
    """Surround every request of *app*; called before access control, so that refusals are numbered too."""
    app.url_map.converters["int"] = Id64Converter
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_leave)


def check_input(app: Flask) -> None:
    """Refuse what no database stores; called after access control, so that strangers' uploads are not even read."""
    app.before_request(_refuse_unstorable)


def request_id() -> str:
    """Return the number of this request, which its log lines and audit events carry."""
    number: str = g.request_id
    return number


def _begin() -> None:
    g.request_id = secrets.token_hex(8)
    g.began = time.perf_counter()
    g.surroundings = ExitStack()
    g.surroundings.enter_context(from_origin(request.remote_addr, g.request_id))
    g.surroundings.enter_context(structlog.contextvars.bound_contextvars(request_id=g.request_id))
    if request.endpoint not in {"static", "bootstrap.static"}:
        g.surroundings.enter_context(use_locale(_locale()))


def _locale() -> str:
    """Return the profile's language, else the one asked for here or before, else English if the browser says so."""
    asked = request.args.get("lang")
    if asked in LOCALES:
        return asked
    user = signed_in_user()
    if user is not None:
        return user.locale
    kept = request.cookies.get(LOCALE_COOKIE)
    if kept in LOCALES:
        return kept
    for language, _quality in request.accept_languages:
        if language.lower().startswith(("en", "zh")):
            return "en" if language.lower().startswith("en") else DEFAULT_LOCALE
    return DEFAULT_LOCALE


def _refuse_unstorable() -> None:
    if request.is_json:
        # No page takes any, but WTForms would read it, however deep it is.
        raise UnsupportedMediaType
    # Only a multipart form is read piece by piece; any other stands in memory whole.
    if signed_in_user() is None:
        request.max_content_length = _STRANGERS_BYTES_MAX
    elif request.mimetype != "multipart/form-data":
        request.max_content_length = _FORM_BYTES_MAX
    texts = [request.path, *request.args.values(), *request.args]
    for name, values in request.form.lists():
        texts += [name, *values]
    texts += [file.filename or "" for file in request.files.values()]
    if any(_UNSTORABLE.search(text) for text in texts):
        raise BadRequest


def _finish(response: Response) -> Response:
    asked = request.args.get("lang")
    if asked in LOCALES:
        response.set_cookie(
            LOCALE_COOKIE,
            asked,
            max_age=_LOCALE_COOKIE_SECONDS,
            secure=current_app.config["SESSION_COOKIE_SECURE"],
            samesite="Lax",
            httponly=True,
        )
    response.headers["X-Request-Id"] = request_id()
    if request.endpoint not in {"static", "bootstrap.static"}:
        user = g.get("session_user")
        log.info(
            "request",
            method=request.method,
            endpoint=request.endpoint,
            status=response.status_code,
            ms=round((time.perf_counter() - g.began) * 1000),
            user=user.id if user else None,
        )
    return response


def _leave(_error: BaseException | None) -> None:
    surroundings: ExitStack | None = g.pop("surroundings", None)
    if surroundings is not None:
        surroundings.close()
