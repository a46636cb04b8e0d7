"""The optional second factor: codes of six digits that change every 30 seconds (TOTP, RFC 6238), each taken once."""

import hmac
import re

import pyotp
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.login import LoginRefusedError, note_signed_in
from supervise.access.models import User
from supervise.access.sessions import end_session, open_session
from supervise.audit.record import record_event
from supervise.cipher import Keyring
from supervise.errors import ConflictError, InvalidInputError
from supervise.labels import N_

_STEP_SECONDS = 30
#: A telephone's clock may be one step off.
_STEPS_OFF = 1
_CONTEXT = "app_user.second_factor_cipher"
_ISSUER = "supervise"
_CODE = re.compile(r"[0-9]{6}")


class WrongCodeError(InvalidInputError):
    """The six digits are not those of this moment, or were used before."""

    message = N_("This code is wrong or was used before; wait for the next one")


class CodeRefusedError(LoginRefusedError):
    """The second step of a login failed."""

    message = WrongCodeError.message


class AlreadyEnrolledError(ConflictError):
    """The account has a second factor."""

    message = N_("The second factor is already on")


class NotEnrolledError(ConflictError):
    """The account has no second factor, or its enrolment was never begun."""

    message = N_("The second factor is not on")


def begin_enrolment(session: Session, keyring: Keyring, *, actor_id: int) -> str:
    """Give the user a new key, not yet in use, and return it (base32) to be shown once.

    Raises:
        AlreadyEnrolledError: if one is in use.
    """
    user = session.get_one(User, actor_id, with_for_update=True)
    if user.second_factor_at is not None:
        raise AlreadyEnrolledError
    key = pyotp.random_base32()
    user.second_factor_cipher = keyring.encrypt(key, _CONTEXT, str(actor_id))
    user.second_factor_step = None
    return key


def provisioning_uri(key: str, username: str) -> str:
    """Return what the QR code says to an authenticator."""
    uri: str = pyotp.TOTP(key).provisioning_uri(name=username, issuer_name=_ISSUER)
    return uri


def confirm_enrolment(session: Session, keyring: Keyring, *, actor_id: int, code: str) -> None:
    """Put the key in use: the first code proves that the authenticator has it.

    Raises:
        AlreadyEnrolledError: if it is in use.
        NotEnrolledError: if ``begin_enrolment`` was never called.
        WrongCodeError: if the code does not fit.
    """
    user = session.get_one(User, actor_id, with_for_update=True)
    if user.second_factor_at is not None:
        raise AlreadyEnrolledError
    if not _takes(user, keyring, code):
        raise WrongCodeError
    user.second_factor_at = clock.now()
    record_event(session, actor_id=actor_id, action="second_factor.enrolled", subject="user", subject_id=actor_id)


def remove_second_factor(session: Session, *, actor_id: int, user_id: int, reason: str | None = None) -> None:
    """Switch the second factor of *user_id* off: by the user, or by an administrator for a lost telephone.

    Raises:
        NotEnrolledError: if there is none.
    """
    user = session.get_one(User, user_id, with_for_update=True)
    if user.second_factor_cipher is None:
        raise NotEnrolledError
    user.second_factor_cipher = user.second_factor_at = user.second_factor_step = None
    record_event(
        session,
        actor_id=actor_id,
        action="second_factor.removed",
        subject="user",
        subject_id=user_id,
        reason=reason,
    )


def confirm_session(
    session: Session, keyring: Keyring, *, user_id: int, session_key: str, code: str, address: str, agent: str | None
) -> str:
    """Turn the half-open session into a whole one if *code* is right, and return the new token.

    The attempt must have been counted before (``throttle.count_attempt``).

    Raises:
        CodeRefusedError: if the code is wrong or was used before.
    """
    user = session.get_one(User, user_id, with_for_update=True)
    if not user.active or user.second_factor_at is None or not _takes(user, keyring, code):
        raise CodeRefusedError(user_id=user_id, cause="second_factor")
    end_session(session, session_key)
    note_signed_in(session, user, address)
    return open_session(session, user_id, is_confirmed=True, address=address, agent=agent)


def _takes(user: User, keyring: Keyring, code: str) -> bool:
    """Say whether *code* is one of this moment and newer than the last taken; remember its step."""
    if user.second_factor_cipher is None:
        raise NotEnrolledError
    digits = code.strip().replace(" ", "")
    if not _CODE.fullmatch(digits):
        return False
    totp = pyotp.TOTP(keyring.decrypt(user.second_factor_cipher, _CONTEXT, str(user.id)))
    now_step = int(clock.now().timestamp()) // _STEP_SECONDS
    for step in range(now_step - _STEPS_OFF, now_step + _STEPS_OFF + 1):
        is_new = user.second_factor_step is None or step > user.second_factor_step
        if is_new and hmac.compare_digest(totp.generate_otp(step), digits):
            user.second_factor_step = step
            return True
    return False
