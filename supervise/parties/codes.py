"""From the code that a person types to the row it names, within what that person may see."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from supervise.errors import InvalidInputError
from supervise.labels import N_
from supervise.parties.models import OrgUnit, Party
from supervise.parties.scope import Scope


class UnknownCodeError(InvalidInputError):
    """A code that names nothing, or nothing of the user's."""

    message = N_("Nothing in the register has the code %(code)s")


def party_named(session: Session, scope: Scope, code: str) -> Party:
    """Return the party with the code or the credit code; a branch by the code of its unit.

    Raises:
        UnknownCodeError: if there is none in scope.
    """
    code = code.strip()
    query = select(Party).where(or_(Party.code == code, Party.credit_code == code.upper())).limit(1)
    party = session.scalars(scope.limit(query, party=Party.id)).one_or_none()
    if party is None:
        raise UnknownCodeError(code=code[:40])
    return party


def unit_named(session: Session, scope: Scope, code: str) -> OrgUnit:
    """Return the unit with the code.

    Raises:
        UnknownCodeError: if there is none in scope.
    """
    query = select(OrgUnit).where(OrgUnit.code == code.strip())
    unit = session.scalars(scope.limit(query, unit=OrgUnit.id)).one_or_none()
    if unit is None:
        raise UnknownCodeError(code=code.strip()[:40])
    return unit
