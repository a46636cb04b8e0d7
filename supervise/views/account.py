"""A user's own account: name and language, password, open sessions, second factor."""

import base64
import io

import qrcode
import qrcode.image.svg
from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask import session as form_session
from flask.typing import ResponseReturnValue
from wtforms import PasswordField, StringField
from wtforms.validators import EqualTo, InputRequired, Length, ValidationError

from supervise import db
from supervise.access import passwords, throttle
from supervise.access.identity import current_user, set_identity
from supervise.access.login import LoginRefusedError
from supervise.access.policy import signed_in, signed_in_with_initial_password
from supervise.access.queries import delegations, user_of
from supervise.access.second_factor import (
    WrongCodeError,
    begin_enrolment,
    confirm_enrolment,
    provisioning_uri,
    remove_second_factor,
)
from supervise.access.sessions import end_other_sessions, open_sessions
from supervise.access.users import change_own_password
from supervise.labels import _, _l
from supervise.views.forms import Form
from supervise.views.refusals import record_refusal
from supervise.views.session import safe_next
from supervise.views.settings import current_keyring

bp = Blueprint("account", __name__, url_prefix="/account")


class PasswordForm(Form):
    """The old password, and a new one twice."""

    old = PasswordField(
        _l("Present password"),
        validators=[InputRequired(_l("Enter your present password")), Length(max=passwords.LENGTH_MAX)],
    )
    new = PasswordField(
        _l("New password"),
        description=_l("At least 12 characters; a sentence is easier to remember than a riddle"),
        validators=[InputRequired(_l("Enter a new password"))],
    )
    again = PasswordField(
        _l("New password once more"),
        validators=[
            InputRequired(_l("Enter the new password once more")),
            EqualTo("new", _l("The two new passwords differ")),
        ],
    )
    #: Set by the view: the new password must not contain it.
    username = ""

    def validate_new(self, field: PasswordField) -> None:
        """Refuse what is easy to guess, and what is no change."""
        if field.data == self.old.data:
            raise ValidationError(_("The new password is the old one"))
        try:
            passwords.check_strength(field.data, self.username)
        except passwords.WeakPasswordError as error:
            raise ValidationError(str(error)) from error


class PresentPasswordForm(Form):
    """Proof that the user, and not whoever sits at the open desk, asks."""

    password = PasswordField(
        _l("Present password"),
        validators=[InputRequired(_l("Enter your present password")), Length(max=passwords.LENGTH_MAX)],
    )


class EnrolmentForm(Form):
    """The first code of a new authenticator."""

    code = StringField(_l("Code from your authenticator"), validators=[InputRequired(_l("Enter the six digits"))])


@bp.get("/")
@signed_in
def profile() -> ResponseReturnValue:
    """Show the user's own account."""
    me = current_user()
    with db.reading() as session:
        user = user_of(session, me.id)
        sessions = open_sessions(session, me.id)
        deputies = delegations(session, me.id)
    return render_template(
        "account/profile.html",
        user=user,
        sessions=sessions,
        own_key=me.session_key,
        deputies=deputies,
        form=PresentPasswordForm(formdata=None),
    )


@bp.route("/password", methods=["GET", "POST"])
@signed_in_with_initial_password
def password() -> ResponseReturnValue:
    """Choose a new password; every session of the user ends, this browser gets a fresh one."""
    me = current_user()
    form = PasswordForm()
    form.username = me.username
    if not form.validate_on_submit() or not _is_own_password(form.old):
        page = render_template("account/password.html", form=form, initial=me.password_is_initial)
        return page, 400 if form.errors else 200
    token = db.decide(
        change_own_password,
        actor_id=me.id,
        password_hash=passwords.current().hash(form.new.data),
        address=request.remote_addr or "",
        agent=request.user_agent.string,
    )
    form_session.clear()
    flash(_("Your password is changed; you are logged out everywhere else"), "success")
    response = make_response(redirect(safe_next(None), code=303))
    set_identity(response, token)
    return response


@bp.post("/sessions/end-others")
@signed_in
def end_others() -> ResponseReturnValue:
    """Log the user out everywhere but here."""
    me = current_user()
    db.decide(end_other_sessions, actor_id=me.id, session_key=me.session_key)
    flash(_("You are logged out everywhere else"), "success")
    return redirect(url_for(".profile"), code=303)


@bp.post("/second-factor")
@signed_in
def enrol() -> ResponseReturnValue:
    """Make a new key and show it once, as a QR code, to be confirmed by the first code."""
    me = current_user()
    form = PresentPasswordForm()
    if not form.validate() or not _is_own_password(form.password):
        flash(_("The present password is wrong"), "danger")
        return redirect(url_for(".profile"), code=303)
    key = db.decide(begin_enrolment, current_keyring(), actor_id=me.id)
    return render_template(
        "account/second_factor.html",
        form=EnrolmentForm(formdata=None),
        key=key,
        picture=_qr_code(provisioning_uri(key, me.username)),
    )


@bp.route("/second-factor/confirm", methods=["GET", "POST"])
@signed_in
def confirm() -> ResponseReturnValue:
    """Put the new key in use when the authenticator's first code fits."""
    form = EnrolmentForm()
    if form.validate_on_submit():
        try:
            db.decide(confirm_enrolment, current_keyring(), actor_id=current_user().id, code=form.code.data)
        except WrongCodeError as error:
            form.code.errors = [str(error)]
        else:
            flash(_("The second factor is on: from now on each login asks for a code"), "success")
            return redirect(url_for(".profile"), code=303)
    return render_template("account/second_factor.html", form=form), 400 if form.errors else 200


@bp.post("/second-factor/off")
@signed_in
def remove() -> ResponseReturnValue:
    """Switch the second factor off, which takes the password."""
    form = PresentPasswordForm()
    if not form.validate() or not _is_own_password(form.password):
        flash(_("The present password is wrong"), "danger")
        return redirect(url_for(".profile"), code=303)
    me = current_user()
    db.decide(remove_second_factor, actor_id=me.id, user_id=me.id)
    flash(_("The second factor is off"), "success")
    return redirect(url_for(".profile"), code=303)


def _is_own_password(field: PasswordField) -> bool:
    """Say whether *field* holds the user's password; a wrong one is put on it as an error, counted and recorded.

    Raises:
        TooManyAttemptsError: if the name or the address must wait.
    """
    me = current_user()
    address = request.remote_addr or ""
    db.decide(throttle.count_attempt, me.username, address)
    with db.reading() as session:
        password_hash = user_of(session, me.id).password_hash
    if not passwords.current().matches(password_hash, field.data):
        field.errors = [*field.errors, _("The present password is wrong")]
        record_refusal(LoginRefusedError(user_id=me.id, cause="present_password"))
        return False
    db.decide(throttle.forgive, me.username, address)
    return True


def _qr_code(text: str) -> str:
    """Return *text* as a QR code, for the ``src`` of an image; the picture never has an address of its own."""
    picture = io.BytesIO()
    qrcode.make(text, image_factory=qrcode.image.svg.SvgPathFillImage).save(picture)
    return f"data:image/svg+xml;base64,{base64.b64encode(picture.getvalue()).decode()}"
