"""The administrator's pages of users: find, add, change, help out."""

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, Optional

from reports.users import USER_COLUMNS, user_lines
from supervise import db
from supervise.access import passwords, queries, users
from supervise.access.identity import current_user
from supervise.access.models import User
from supervise.access.policy import require
from supervise.access.roles import SCOPED_ROLES, Permission, Role
from supervise.access.second_factor import remove_second_factor
from supervise.access.sessions import open_sessions
from supervise.audit.queries import events_of
from supervise.labels import LOCALES, N_, _, _l
from supervise.parties.given_scope import UnknownCodesError, given_parties, given_units, party_ids_of, unit_ids_of
from supervise.parties.scope import change_scope
from supervise.views.forms import FilterForm, Form, MemberField, WordsField
from supervise.views.register_list import RegisterList, by_text
from supervise.views.registers import version_of

bp = Blueprint("users", __name__, url_prefix="/users")

_LOCALE_NAMES = {"zh_Hans": "中文", "en": "English"}


class UserFilterForm(FilterForm):
    """The filters above the list."""

    q = WordsField(_l("User name or name"), validators=[Optional(), Length(max=60)])
    role = MemberField(_l("Role"), Role, everything=True, validators=[Optional()])
    active = SelectField(
        _l("Login account"),
        choices=lambda: [("", _("All")), ("1", _("Active")), ("0", _("Inactive"))],
        validators=[Optional()],
    )
    initial = BooleanField(_l("Initial password"))

    def wanted(self) -> queries.UserFilters:
        """Return what the address asks for; nonsense narrows nothing."""
        self.validate()
        return queries.UserFilters(
            text=self.q.data or "",
            role=self.accepted(self.role),
            active={"1": True, "0": False}.get(self.active.data or ""),
            initial_password=self.initial.data,
        )


class UserForm(Form):
    """What an administrator decides about a user."""

    display_name = StringField(_l("Full name"), validators=[InputRequired(_l("Enter the name")), Length(max=60)])
    role = SelectField(_l("Role"), validators=[InputRequired(_l("Choose a role"))])
    locale = SelectField(_l("Language"), validators=[InputRequired()])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.role.choices = _role_choices()
        self.locale.choices = [(code, _LOCALE_NAMES[code]) for code in LOCALES]


class NewUserForm(UserForm):
    """A new user, who gets a random password that is shown once."""

    username = StringField(
        _l("User name"),
        description=_l("2 to 40 letters, digits, dots or hyphens"),
        validators=[InputRequired(_l("Enter the user name")), Length(max=40)],
    )


class EditUserForm(UserForm):
    """A user that exists; ``version`` says which state the administrator has seen."""

    active = BooleanField(_l("May log in"))
    version = HiddenField(validators=[InputRequired()])


class ReasonForm(Form):
    """A step that is recorded with its reason."""

    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(min=4, max=200)])


class ScopeForm(Form):
    """The units or parties whose rows a user sees."""

    codes = TextAreaField(
        _l("Codes"),
        description=_l("Codes of the register, separated by spaces or new lines; empty: the user sees nothing"),
        validators=[Optional(), Length(max=5_000)],
    )
    reason = StringField(_l("Reason"), validators=[InputRequired(_l("Say why")), Length(min=4, max=200)])


USERS = RegisterList(
    name="users",
    title=N_("Users"),
    form=lambda: UserFilterForm(formdata=request.args),
    # Who keeps the users keeps all of them: no scope narrows them.
    rows=lambda session, _scope, filters, **page: queries.users_by_name(session, filters, **page),
    cursor=by_text(lambda user: user.username),
    beside=lambda session, rows: {"seen": queries.last_seen(session, [user.id for user in rows])},
    columns=USER_COLUMNS,
    lines=lambda session, _scope, filters: user_lines(session, filters),
    writes=Permission.MANAGE_USERS,
)


@bp.get("/")
@require(Permission.MANAGE_USERS)
def index() -> ResponseReturnValue:
    """List the users by name, a page at a time."""
    return USERS.page()


@bp.get("/export")
@require(Permission.MANAGE_USERS)
def export() -> ResponseReturnValue:
    """Give the filtered list with everybody's scope as a file."""
    return USERS.download()


@bp.route("/new", methods=["GET", "POST"])
@require(Permission.MANAGE_USERS)
def new() -> ResponseReturnValue:
    """Add a user."""
    form = NewUserForm()
    if not form.validate_on_submit():
        return render_template("users/new.html", form=form), 400 if form.errors else 200
    initial = passwords.initial_password()
    user = db.decide(
        users.create_user,
        actor_id=current_user().id,
        username=form.username.data,
        display_name=form.display_name.data,
        role=Role(form.role.data),
        locale=form.locale.data,
        password_hash=passwords.current().hash(initial),
    )
    return _show_initial_password(user, initial)


@bp.route("/<int:user_id>", methods=["GET", "POST"])
@require(Permission.MANAGE_USERS)
def detail(user_id: int) -> ResponseReturnValue:
    """Show and change a user."""
    with db.reading() as session:
        user = queries.user_of(session, user_id)
        sessions = open_sessions(session, user_id)
        given = [*given_units(session, user_id), *given_parties(session, user_id)]
        events = events_of(session, "user", user_id, limit=30)
        names = queries.display_names(session, [event.actor_id for event in events])
    form = EditUserForm(obj=user)
    if not form.validate_on_submit():
        page = render_template(
            "users/detail.html",
            form=form,
            user=user,
            sessions=sessions,
            events=events,
            names=names,
            given=given,
            needs_scope=user.role in SCOPED_ROLES,
        )
        return page, 400 if form.errors else 200
    db.decide(
        users.edit_user,
        actor_id=current_user().id,
        user_id=user_id,
        version=version_of(form.version),
        display_name=form.display_name.data,
        role=Role(form.role.data),
        active=form.active.data,
        locale=form.locale.data,
    )
    flash(_("The user is changed"), "success")
    return redirect(url_for(".detail", user_id=user_id), code=303)


@bp.route("/<int:user_id>/scope", methods=["GET", "POST"])
@require(Permission.MANAGE_USERS)
def scope(user_id: int) -> ResponseReturnValue:
    """Show and change the units or parties whose rows the user sees; a change ends the user's sessions."""
    with db.reading() as session:
        user = queries.user_of(session, user_id)
        by_party = user.role is Role.PARTNER_CONTACT
        given = given_parties(session, user_id) if by_party else given_units(session, user_id)
    form = ScopeForm(codes=" ".join(row.code for row in given))
    ids: list[int] = []
    if form.validate_on_submit():
        try:
            with db.reading() as session:
                ids = (party_ids_of if by_party else unit_ids_of)(session, (form.codes.data or "").split())
        except UnknownCodesError as error:
            form.codes.errors = [str(error)]
    if request.method == "GET" or form.errors:
        page = render_template("users/scope.html", form=form, user=user, given=given, by_party=by_party)
        return page, 400 if form.errors else 200
    db.decide(
        change_scope,
        user_id,
        unit_ids=[] if by_party else ids,
        party_ids=ids if by_party else [],
        reason=form.reason.data,
        actor_id=current_user().id,
    )
    flash(_("The scope is changed; the user is logged out everywhere"), "success")
    return redirect(url_for(".detail", user_id=user_id), code=303)


@bp.post("/<int:user_id>/password")
@require(Permission.MANAGE_USERS)
def reset_password(user_id: int) -> ResponseReturnValue:
    """Give the user a new initial password, shown once; all their sessions end."""
    initial = passwords.initial_password()
    user = db.decide(
        users.reset_password,
        actor_id=current_user().id,
        user_id=user_id,
        password_hash=passwords.current().hash(initial),
    )
    return _show_initial_password(user, initial)


@bp.post("/<int:user_id>/second-factor/off")
@require(Permission.MANAGE_USERS)
def reset_second_factor(user_id: int) -> ResponseReturnValue:
    """Switch the second factor of a lost telephone off."""
    with db.reading() as session:
        queries.user_of(session, user_id)
    form = ReasonForm()
    if not form.validate():
        flash(_("Say why, in a few words"), "danger")
        return redirect(url_for(".detail", user_id=user_id), code=303)
    db.decide(remove_second_factor, actor_id=current_user().id, user_id=user_id, reason=form.reason.data)
    flash(_("The second factor is off"), "success")
    return redirect(url_for(".detail", user_id=user_id), code=303)


@bp.post("/<int:user_id>/sessions/end")
@require(Permission.MANAGE_USERS)
def end_sessions(user_id: int) -> ResponseReturnValue:
    """Log the user out everywhere."""
    db.decide(users.end_user_sessions, actor_id=current_user().id, user_id=user_id)
    flash(_("The user is logged out everywhere"), "success")
    return redirect(url_for(".detail", user_id=user_id), code=303)


def _show_initial_password(user: User, initial: str) -> ResponseReturnValue:
    # In the answer itself, never in a flash or a URL: those are stored.
    return render_template("users/initial_password.html", user=user, initial=initial)


def _role_choices() -> list[tuple[str, str]]:
    return [(role.value, role.label) for role in Role]
