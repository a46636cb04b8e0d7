"""Import profiles: how the columns of a channel's file map to our fields. A change is a new version."""

import re
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.complaints.fields import FIELD_NAMES
from supervise.complaints.models import Channel, ImportProfile
from supervise.db import take_turn
from supervise.errors import ConflictError, InvalidInputError, NotFoundError
from supervise.files.mapping import ColumnMapping
from supervise.labels import N_

#: Without one of these a row says nothing that could become a ticket.
_SUBSTANCE = frozenset({"caller_number", "content", "sms_text", "claimed_calls"})


class EmptyMappingError(InvalidInputError):
    """A mapping that gives no caller, no text and no count makes no complaint."""

    message = N_("Map at least the caller's number, the description or the SMS text")


class UnknownFieldError(InvalidInputError):
    """The mapping names a field that complaints do not have."""

    message = N_("There is no field %(field)s")


class RetiredProfileError(ConflictError):
    """The profile is no longer used."""

    message = N_("This import profile has been retired or replaced by a newer version")


class ProfileNameTakenError(InvalidInputError):
    """A colleague's profile has this name; a file of one's own must not replace it unseen."""

    message = N_("A profile of this name, made by somebody else, is in use; choose another name")


def profiles_in_use(session: Session) -> Sequence[ImportProfile]:
    """Return the newest version of every profile that is not retired, by name."""
    query = (
        sa.select(ImportProfile)
        .where(ImportProfile.retired_at.is_(None))
        .order_by(ImportProfile.name, ImportProfile.id)
    )
    return session.scalars(query).all()


def profile_versions(session: Session, code: str) -> Sequence[ImportProfile]:
    """Return all versions of a profile, the newest first."""
    query = sa.select(ImportProfile).where(ImportProfile.code == code).order_by(ImportProfile.version.desc())
    return session.scalars(query).all()


def profile_by_id(session: Session, profile_id: int) -> ImportProfile:
    """Return one version of a profile; a retired one too, since old batches were read with it.

    Raises:
        NotFoundError: if there is none.
    """
    profile = session.get(ImportProfile, profile_id)
    if profile is None:
        raise NotFoundError
    return profile


def mapping_of(profile: ImportProfile) -> ColumnMapping:
    """Return the profile's mapping as the reader takes it."""
    return ColumnMapping.from_json({**profile.mapping, "plan": profile.numbering_plan})


def save_profile(
    session: Session, *, name: str, channel: Channel, mapping: ColumnMapping, actor_id: int, code: str | None = None
) -> ImportProfile:
    """Save *mapping* as a new profile, or with *code* as the next version of that one, which it replaces.

    A name that the actor's own profile in use has makes the next version of that one: who maps a file again, because
    the first mapping was wrong, is not offered both.

    Raises:
        EmptyMappingError: if no column gives a caller, a text or a count.
        ProfileNameTakenError: if the name is that of a profile in use that somebody else made.
        UnknownFieldError: if a field is not one of ``fields.FIELDS``.
    """
    _check(mapping)
    take_turn(session, "import profiles")
    code = code or _own_code(session, name, actor_id) or _fresh_code(session, name)
    earlier = profile_versions(session, code)
    now = clock.now()
    for version in earlier:
        version.retired_at = version.retired_at or now
    profile = ImportProfile(
        code=code,
        version=earlier[0].version + 1 if earlier else 1,
        name=name.strip(),
        channel=channel,
        numbering_plan=mapping.plan,
        mapping=mapping.to_json(),
        created_by=actor_id,
        created_at=now,
    )
    session.add(profile)
    session.flush()
    changes = {"code": code, "version": profile.version, "channel": channel, "plan": mapping.plan}
    _record(session, profile, "import_profile.saved", changes, actor_id)
    return profile


def retire_profile(session: Session, profile_id: int, *, actor_id: int) -> None:
    """Offer a profile no more; batches that were read with it keep it.

    Raises:
        NotFoundError: if there is no such profile.
        RetiredProfileError: if it was retired or replaced before.
    """
    profile = profile_by_id(session, profile_id)
    if profile.retired_at is not None:
        raise RetiredProfileError
    profile.retired_at = clock.now()
    session.flush()
    _record(session, profile, "import_profile.retired", {"code": profile.code, "version": profile.version}, actor_id)


def _check(mapping: ColumnMapping) -> None:
    mapped = {name for name, headings in mapping.fields.items() if headings} | set(mapping.constants)
    for name in sorted(mapped | mapping.required):
        if name not in FIELD_NAMES:
            raise UnknownFieldError(field=name)
    if _SUBSTANCE.isdisjoint(mapped):
        raise EmptyMappingError


def _own_code(session: Session, name: str, actor_id: int) -> str | None:
    """Return the code of the actor's profile in use of this name; None if nobody has one."""
    namesakes = [profile for profile in profiles_in_use(session) if profile.name == name.strip()]
    own = [profile.code for profile in namesakes if profile.created_by == actor_id]
    if namesakes and not own:
        raise ProfileNameTakenError
    return own[0] if own else None


def _fresh_code(session: Session, name: str) -> str:
    """Return a code for a new profile: letters and digits of its name where it has some, and a number."""
    stem = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_") or "profile"
    taken = set(
        session.scalars(sa.select(ImportProfile.code).where(ImportProfile.code.startswith(stem, autoescape=True)))
    )
    numbered = (stem, *(f"{stem}_{number}" for number in range(2, len(taken) + 3)))
    return next(code for code in numbered if code not in taken)


def _record(session: Session, profile: ImportProfile, action: str, changes: dict[str, object], actor_id: int) -> None:
    record_event(
        session, actor_id=actor_id, action=action, subject="import_profile", subject_id=profile.id, changes=changes
    )
