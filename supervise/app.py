"""The application: every extension, every blueprint and every guard, wired in one place."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import secure
import structlog
from flask import Flask, Response, request
from flask_bootstrap import Bootstrap5
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix

from supervise import casework, cli, db, evidence_commands, schema
from supervise.access import identity, passwords
from supervise.access.policy import PUBLIC, declare_endpoint
from supervise.complaints.subscribers import refuse_other_keys
from supervise.config import PROJECT, UPLOAD_BYTES_MAX, Settings, load_settings
from supervise.evidence.codes import KEYRING_KEY
from supervise.evidence.store import SESSION_KEY, open_store
from supervise.jobs.queue import JobQueue
from supervise.jobs.surroundings import Surroundings
from supervise.ledger.seal import refuse_other_seal_key
from supervise.views import (
    account,
    approval_limits,
    approvals,
    audit,
    background,
    batches,
    bulk_runs,
    capabilities,
    checklists,
    compliance_files,
    consequence_rules,
    contracts,
    credits,  # noqa: A004 - the page family is called so
    deputies,
    evidence_clocks,
    fines,
    gl_map,
    health,
    home,
    imports,
    incidents,
    inquiries,
    inquiry_terms,
    intake,
    ledger,
    mediation_terms,
    month_figures,
    notices,
    numbers,
    official_numbers,
    org_units,
    parties,
    penalties,
    permissions,
    plans,
    preferences,
    pushes,
    records,
    recoveries,
    reference,
    refusals,
    register_proposals,
    relations,
    reporter_thresholds,
    reports,
    requests,
    sales_channels,
    sanctions,
    scorecards,
    searching,
    session,
    settlements,
    staff,
    statements,
    subscribers,
    thresholds,
    tickets,
    undertakings,
    users,
    watch,
)
from supervise.views.audit_words import register_audit_words
from supervise.views.filters import register_filters
from supervise.views.navigation import register_shell
from supervise.views.waiting import register_waiting

#: Shown at the foot of each page; the changelog has what is in it.
VERSION = "0.1.0"

#: Every page family; a module of ``supervise.views`` with its blueprint ``bp``.
BLUEPRINTS = (
    account.bp,
    approvals.bp,
    audit.bp,
    background.bp,
    batches.bp,
    bulk_runs.bp,
    capabilities.bp,
    compliance_files.bp,
    checklists.bp,
    consequence_rules.bp,
    contracts.bp,
    credits.bp,
    deputies.bp,
    evidence_clocks.bp,
    inquiry_terms.bp,
    mediation_terms.bp,
    gl_map.bp,
    health.bp,
    home.bp,
    imports.bp,
    incidents.bp,
    inquiries.bp,
    intake.bp,
    ledger.bp,
    notices.bp,
    numbers.bp,
    official_numbers.bp,
    org_units.bp,
    parties.bp,
    penalties.bp,
    permissions.bp,
    plans.bp,
    preferences.bp,
    pushes.bp,
    records.bp,
    reference.bp,
    register_proposals.bp,
    relations.bp,
    approval_limits.bp,
    month_figures.bp,
    fines.bp,
    recoveries.bp,
    reporter_thresholds.bp,
    reports.bp,
    sales_channels.bp,
    sanctions.bp,
    scorecards.bp,
    searching.bp,
    session.bp,
    settlements.bp,
    staff.bp,
    statements.bp,
    subscribers.bp,
    thresholds.bp,
    tickets.bp,
    undertakings.bp,
    users.bp,
    watch.bp,
)

_FORM_OVERHEAD_BYTES = 1024 * 1024
#: A bulk action names each chosen row.
_FORM_PARTS_MAX = 5_000
_STATIC_SECONDS = 365 * 24 * 3600
_STATIC_ENDPOINTS = ("static", "bootstrap.static")

log = structlog.get_logger()


class Application(Flask):
    """Flask, but an error that nobody foresaw is logged without its words, which may quote a subscriber."""

    def log_exception(self, exc_info: Any) -> None:
        """Write class and places of the error; the request's number ties the line to the page shown."""
        log.error("unforeseen error", exc_info=exc_info[1])


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application on *settings*, else on those of the environment.

    It does not look at the schema, so that the commands that migrate it can run; ``refuse_unfit_database`` does.

    Raises:
        ConfigError: if the environment does not allow a start.
    """
    settings = settings or load_settings()
    app = Application("supervise", root_path=str(PROJECT / "supervise"))
    _configure(app, settings)
    _log_as_json()
    equip(app, settings)
    _guard(app, settings)
    _dress(app, settings)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    for command in (*cli.COMMANDS, casework.cases, evidence_commands.evidence):
        app.cli.add_command(command)
    return app


def equip(app: Flask, settings: Settings) -> None:
    """Give *app* what it works on and with: settings, database, stored records, password hasher, job queue.

    Who calls it again moves the application to another database, instance folder and keys; what ``create_app``
    has built into its guards and pages, such as secure cookies, stays.

    Raises:
        ConfigError: if the database does not do what is asked of it.
    """
    app.extensions["supervise.settings"] = settings
    uri = settings.evidence_uri or str(settings.instance / "evidence")
    scratch = settings.instance / "evidence"
    records = open_store(settings.evidence_engine, uri, scratch, spark_master=settings.spark_master)
    db.init_app(app, settings.database_url, {SESSION_KEY: records, KEYRING_KEY: settings.keyring})
    db.check_sqlite_settings(app.extensions["supervise.db"])
    passwords.init_app(
        app, passwords.Passwords(rounds=settings.password_rounds, memory_kib=settings.password_memory_kib)
    )
    surroundings = Surroundings(settings.instance, settings.keyring, settings.anchor_file)
    app.extensions["supervise.jobs"] = JobQueue(settings.database_url, surroundings, app.app_context)


def refuse_unfit_database(app: Flask) -> None:
    """Refuse to work on a database of another schema, or one that was written with other keys.

    Raises:
        SchemaError, ConfigError: with a sentence that says what to do.
    """
    database: db.Database = app.extensions["supervise.db"]
    keyring = app.extensions["supervise.settings"].keyring
    schema.refuse_wrong_schema(database)
    with database.session(writes=False) as session:
        refuse_other_keys(session, keyring)
        refuse_other_seal_key(session, keyring)


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        SECRET_KEY=settings.secret_key,
        # Flask's own session holds CSRF and flashes only; who is signed in is a row (access/sessions.py).
        SESSION_COOKIE_NAME="__Host-supervise-form" if settings.secure_cookies else "supervise-form",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=None,
        MAX_CONTENT_LENGTH=UPLOAD_BYTES_MAX + _FORM_OVERHEAD_BYTES,
        MAX_FORM_PARTS=_FORM_PARTS_MAX,
        SEND_FILE_MAX_AGE_DEFAULT=_STATIC_SECONDS,
        BOOTSTRAP_SERVE_LOCAL=True,
        TRUSTED_HOSTS=list(settings.hosts) or None,
    )
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]


def _guard(app: Flask, settings: Settings) -> None:
    """Number the request, then ask who it is and whether they may, then look at what they sent."""
    requests.init_app(app)
    searching.init_app(app)
    identity.init_app(app, secure=settings.secure_cookies)
    requests.check_input(app)
    CSRFProtect(app)
    refusals.init_app(app)
    headers = _security_headers(secure_cookies=settings.secure_cookies)

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        if response.location:
            response.headers["Location"] = _within_this_site(response.location)
        if request.endpoint not in _STATIC_ENDPOINTS:
            # Not a default: send_file says that a workbook may be kept by everybody, as long as a static file.
            response.headers["Cache-Control"] = "no-store"
        return response


def _within_this_site(location: str) -> str:
    """Return *location* without a host: the router's redirects name whatever host was asked for."""
    target = urlsplit(location)
    return urlunsplit(("", "", f"/{target.path.lstrip('/')}", target.query, target.fragment))


def _dress(app: Flask, settings: Settings) -> None:
    Bootstrap5(app)
    for endpoint in _STATIC_ENDPOINTS:
        declare_endpoint(app, endpoint, PUBLIC)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    # Text is escaped whatever the file is called (reliability E13).
    app.jinja_env.autoescape = True
    register_filters(app)
    register_audit_words(app)
    register_waiting(app)
    register_shell(
        app,
        version=VERSION,
        demo=settings.demo,
        current_user=identity.signed_in_user,
    )


def _security_headers(*, secure_cookies: bool) -> Mapping[str, str]:
    policy = (
        secure.ContentSecurityPolicy()
        .default_src("'self'")
        .img_src("'self'", "data:")
        .object_src("'none'")
        .frame_ancestors("'none'")
        .base_uri("'none'")
        .form_action("'self'")
    )
    # The referrer stays inside: CSRF protection asks for it under https.
    protections = secure.Secure(
        csp=policy,
        coop=secure.CrossOriginOpenerPolicy().same_origin(),
        corp=secure.CrossOriginResourcePolicy().same_origin(),
        hsts=secure.StrictTransportSecurity().max_age(63_072_000) if secure_cookies else None,
        permissions=secure.PermissionsPolicy().geolocation().microphone().camera(),
        referrer=secure.ReferrerPolicy().same_origin(),
        xcto=secure.XContentTypeOptions().nosniff(),
        xfo=secure.XFrameOptions().deny(),
    )
    headers: Mapping[str, str] = protections.headers
    return headers


def _log_as_json() -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _name_the_error,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_to_stderr,
    )


def _to_stderr(*_names: object) -> structlog.WriteLogger:
    """Return a logger to where stderr leads at this moment, which is not always where it led at the start."""
    return structlog.WriteLogger(sys.stderr)


def _name_the_error(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Put an exception's class and places into the line, never its words: they may quote a subscriber."""
    error = event.pop("exc_info", None)
    if error is True:
        error = sys.exc_info()[1]
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        frame, places = error.__traceback__, []
        while frame is not None:
            places.append(f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}")
            frame = frame.tb_next
        event["where"] = places
    return event
