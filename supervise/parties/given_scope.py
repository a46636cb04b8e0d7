"""Named reads of the units and parties that users were given, for the administrator's page."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.errors import InvalidInputError
from supervise.labels import N_
from supervise.parties.models import OrgUnit, Party, PartyKind, UserScope


class UnknownCodesError(InvalidInputError):
    """Some of the codes name no unit, or no party."""

    message = N_("There is no such unit or party: %(codes)s")


class Given(NamedTuple):
    """A unit or a party in a user's scope."""

    code: str
    name: str


def given_units(session: Session, user_id: int) -> Sequence[Given]:
    """Return the units that the user was given, by code; their subtrees come with them."""
    query = select(OrgUnit.code, OrgUnit.name).join(UserScope, UserScope.org_unit_id == OrgUnit.id)
    rows = session.execute(query.where(UserScope.user_id == user_id).order_by(OrgUnit.code))
    return [Given(*row) for row in rows]


def given_parties(session: Session, user_id: int) -> Sequence[Given]:
    """Return the parties that the user was given, by code."""
    query = select(Party.code, Party.name).join(UserScope, UserScope.party_id == Party.id)
    rows = session.execute(query.where(UserScope.user_id == user_id).order_by(Party.code))
    return [Given(*row) for row in rows]


def codes_given(session: Session, user_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the codes of the units and parties that each of the users was given, by code."""
    units = select(UserScope.user_id, OrgUnit.code).join(OrgUnit, OrgUnit.id == UserScope.org_unit_id)
    parties = select(UserScope.user_id, Party.code).join(Party, Party.id == UserScope.party_id)
    found: dict[int, list[str]] = {}
    for query, code in ((units, OrgUnit.code), (parties, Party.code)):
        for user_id, given in session.execute(query.where(UserScope.user_id.in_(user_ids)).order_by(code)):
            found.setdefault(user_id, []).append(given)
    return found


def unit_ids_of(session: Session, codes: Collection[str]) -> list[int]:
    """Return the ids of the units with *codes*.

    Raises:
        UnknownCodesError: naming those that are no unit's.
    """
    known = {
        row.code: row.id for row in session.execute(select(OrgUnit.code, OrgUnit.id).where(OrgUnit.code.in_(codes)))
    }
    return _all_known(known, codes)


def party_ids_of(session: Session, codes: Collection[str]) -> list[int]:
    """Return the ids of the external parties with *codes*; a branch is given as a unit.

    Raises:
        UnknownCodesError: naming those that are no such party's.
    """
    query = select(Party.code, Party.id).where(Party.code.in_(codes), Party.kind != PartyKind.ORG_UNIT)
    return _all_known({row.code: row.id for row in session.execute(query)}, codes)


def _all_known(known: dict[str, int], codes: Collection[str]) -> list[int]:
    unknown = [code for code in codes if code not in known]
    if unknown:
        raise UnknownCodesError(codes=", ".join(unknown[:10]))
    return sorted(known.values())
