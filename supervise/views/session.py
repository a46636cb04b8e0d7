"""Signing in and out."""

from flask import Blueprint, current_app, flash, make_response, redirect, render_template, request, url_for
from flask import session as form_session
from flask.typing import ResponseReturnValue
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from supervise import db
from supervise.access import identity, passwords, throttle
from supervise.access.login import LoginRefusedError, authenticate, begin_session, sign_out
from supervise.access.policy import public, signed_in_with_initial_password
from supervise.access.second_factor import confirm_session
from supervise.errors import RefusalError
from supervise.labels import _, _l
from supervise.views.forms import Form
from supervise.views.navigation import url_of
from supervise.views.refusals import record_refusal
from supervise.views.settings import current_keyring

bp = Blueprint("session", __name__)


class LoginForm(Form):
    """Name and password."""

    username = StringField(_l("User name"), validators=[InputRequired(_l("Enter your user name")), Length(max=100)])
    # Longer than any password may be: the answer to it is the same as to any wrong one.
    password = PasswordField(
        _l("Password"), validators=[InputRequired(_l("Enter your password")), Length(max=passwords.LENGTH_MAX * 2)]
    )
    next = HiddenField()


class CodeForm(Form):
    """The six digits of the second factor."""

    code = StringField(_l("Code from your authenticator"), validators=[InputRequired(_l("Enter the six digits"))])
    next = HiddenField()


def safe_next(target: str | None) -> str:
    """Return *target* if it is a path of this site, else the home page; never another site's address."""
    home = url_of("home.index") or url_for("account.profile")
    # One slash makes a path of this site, whatever follows; browsers read a backslash as a slash, and skip controls.
    if not target or not target.startswith("/") or target.startswith("//"):
        return home
    if "\\" in target or any(ord(c) < 0x20 for c in target):  # noqa: PLR2004 - control characters
        return home
    return target


@bp.route("/login", methods=["GET", "POST"])
@public
def login() -> ResponseReturnValue:
    """Sign in by name and password; a second factor, where enrolled, is the next page."""
    form = LoginForm(next=request.args.get("next", ""))
    if request.method == "GET" and identity.signed_in_user():
        return redirect(safe_next(request.args.get("next")), code=303)
    if not form.validate_on_submit():
        return render_template("session/login.html", form=form), 400 if form.errors else 200
    address = request.remote_addr or ""
    try:
        account = authenticate(form.username.data, form.password.data, address)
    except (LoginRefusedError, throttle.TooManyAttemptsError) as error:
        return _again("session/login.html", form, error)
    token = db.decide(
        begin_session,
        account,
        old_token=request.cookies.get(current_app.config["IDENTITY_COOKIE"]),
        address=address,
        agent=request.user_agent.string,
    )
    if account.has_second_factor:
        return _hand_over(token, url_for(".second_factor", next=form.next.data or None))
    return _hand_over(token, safe_next(form.next.data))


@bp.route("/login/code", methods=["GET", "POST"])
@public
def second_factor() -> ResponseReturnValue:
    """Ask whoever gave the right password for the code of this moment."""
    user = identity.half_signed_in_user()
    if user is None:
        return redirect(url_for(".login", next=request.args.get("next")), code=303)
    form = CodeForm(next=request.args.get("next", ""))
    if not form.validate_on_submit():
        return render_template("session/second_factor.html", form=form), 400 if form.errors else 200
    address = request.remote_addr or ""
    try:
        db.decide(throttle.count_attempt, user.username, address)
        token = db.decide(
            confirm_session,
            current_keyring(),
            user_id=user.id,
            session_key=user.session_key,
            code=form.code.data,
            address=address,
            agent=request.user_agent.string,
        )
    except (LoginRefusedError, throttle.TooManyAttemptsError) as error:
        return _again("session/second_factor.html", form, error)
    return _hand_over(token, safe_next(form.next.data))


@bp.route("/logout", methods=["POST"])
@signed_in_with_initial_password
def logout() -> ResponseReturnValue:
    """End this session, for every copy of its cookie."""
    user = identity.current_user()
    db.decide(sign_out, actor_id=user.id, session_key=user.session_key)
    form_session.clear()
    flash(_("You have logged out"), "success")
    response = make_response(redirect(url_for(".login"), code=303))
    identity.clear_identity(response)
    return response


def _again(template: str, form: Form, error: RefusalError) -> ResponseReturnValue:
    # The refusal stands on the page where the next attempt is made, not on one of its own.
    record_refusal(error)
    headers = {"Retry-After": str(error.parameters["seconds"])} if "seconds" in error.parameters else {}
    return render_template(template, form=form, refusal=str(error)), error.status, headers


def _hand_over(token: str, target: str) -> ResponseReturnValue:
    # What a stranger's form session held must not be carried into the user's.
    form_session.clear()
    response = make_response(redirect(target, code=303))
    identity.set_identity(response, token)
    return response
