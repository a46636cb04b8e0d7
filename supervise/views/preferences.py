"""What a browser remembers of its user's taste: the language and the keyboard."""

from flask import Blueprint, current_app, make_response, redirect, request
from flask.typing import ResponseReturnValue

from supervise import db
from supervise.access.identity import signed_in_user
from supervise.access.policy import public
from supervise.access.users import choose_locale
from supervise.labels import DEFAULT_LOCALE, LOCALES
from supervise.views.navigation import KEYS_COOKIE
from supervise.views.requests import LOCALE_COOKIE
from supervise.views.session import safe_next

bp = Blueprint("preferences", __name__, url_prefix="/preferences")

_YEAR_SECONDS = 365 * 24 * 3600


@bp.post("/language")
@public
def language() -> ResponseReturnValue:
    """Speak the chosen language from now on: in the profile of a user, in the browser of a stranger."""
    locale = request.form.get("locale")
    locale = locale if locale in LOCALES else DEFAULT_LOCALE
    user = signed_in_user()
    if user is not None:
        db.decide(choose_locale, actor_id=user.id, locale=locale)
    return _keep(LOCALE_COOKIE, locale)


@bp.post("/keys")
@public
def keys() -> ResponseReturnValue:
    """Switch the single-key shortcuts off or on in this browser."""
    return _keep(KEYS_COOKIE, "off" if request.form.get("keys") == "off" else "on")


def _keep(cookie: str, value: str) -> ResponseReturnValue:
    response = make_response(redirect(safe_next(request.form.get("next")), code=303))
    response.set_cookie(
        cookie,
        value,
        max_age=_YEAR_SECONDS,
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        samesite="Lax",
        httponly=True,
    )
    return response
