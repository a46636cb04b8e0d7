"""Decisions on parties: enter, edit, change standing, note another name."""

import datetime as dt
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import phone
from supervise.audit.record import changed
from supervise.parties.credit_code import normalise_credit_code
from supervise.parties.locks import load, load_version
from supervise.parties.models import Party, PartyAlias, PartyKind, PartyRelation, PartyStatus, RelationRole
from supervise.parties.refusals import CodeTakenError, CreditCodeTakenError, NoSponsorError, UnitPartyError
from supervise.parties.relations import record_party, relate
from supervise.parties.standing import check_open


class Tie(NamedTuple):
    """To whom a new party is tied, how, and from which day."""

    parent_id: int
    role: RelationRole
    valid_from: dt.date


def enter_party(
    session: Session,
    *,
    code: str,
    kind: PartyKind,
    name: str,
    actor_id: int,
    tie: Tie | None = None,
    status: PartyStatus = PartyStatus.REGISTERED,
    credit_code: str | None = None,
    is_person: bool = False,
    contact: str | None = None,
    note: str | None = None,
) -> Party:
    """Enter a party that is no branch; a registered one is tied to the branch or party it works for.

    Raises:
        UnitPartyError: for a branch; found the org unit instead.
        NoSponsorError: if a registered party is tied to nobody.
        CodeTakenError, CreditCodeTakenError: if another party has the code.
        CreditCodeError: if the credit code is wrong.
    """
    if kind is PartyKind.ORG_UNIT:
        raise UnitPartyError(name=name)
    if status is not PartyStatus.CLAIMED and tie is None:
        raise NoSponsorError
    _check_code(session, code)
    party = Party(
        code=code,
        kind=kind,
        name=name,
        status=status,
        credit_code=_free_credit_code(session, credit_code, None),
        is_person=is_person,
        contact=contact,
        note=note,
    )
    session.add(party)
    session.flush()
    entered = {"code": code, "kind": kind, "status": status}
    record_party(session, subject_id=party.id, action="party.entered", actor_id=actor_id, changes=entered)
    if tie is not None:
        relate(session, child_id=party.id, **tie._asdict(), actor_id=actor_id)
    return party


def edit_party(
    session: Session,
    party_id: int,
    *,
    name: str,
    credit_code: str | None,
    is_person: bool,
    contact: str | None,
    note: str | None,
    version: int,
    actor_id: int,
) -> Party:
    """Change what the register says of a party; its kind and code stay.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        UnitPartyError: for a branch.
        CreditCodeError, CreditCodeTakenError: for a wrong or a second credit code.
    """
    party = load_version(session, Party, party_id, version)
    check_open(session, party)
    before = {"name": party.name, "credit_code": party.credit_code, "is_person": party.is_person}
    party.name, party.is_person, party.contact, party.note = name, is_person, contact, note
    party.credit_code = _free_credit_code(session, credit_code, party_id)
    after = {"name": name, "credit_code": party.credit_code, "is_person": is_person}
    changes = changed(before, after)
    if "name" in changes and (is_person or before["is_person"]):
        # The trail keeps no names of natural persons: erasing them must stay possible.
        changes["name"] = ["***", "***"]
    record_party(session, subject_id=party_id, action="party.edited", actor_id=actor_id, changes=changes)
    return party


def change_status(
    session: Session, party_id: int, *, status: PartyStatus, reason: str, version: int, actor_id: int
) -> Party:
    """Register a claimed party, suspend, terminate or reinstate one.

    Numbers, workers and relations keep their dates: who terminates a party ends those on the day they ended.

    Raises:
        NoSuchRowError, ConflictError: if it is gone or was changed since *version*.
        UnitPartyError: for a branch.
        NoSponsorError: if it would be registered without anybody above it.
    """
    party = load_version(session, Party, party_id, version)
    check_open(session, party)
    tied = select(PartyRelation.id).where(PartyRelation.child_id == party_id).limit(1)
    if status is PartyStatus.REGISTERED and session.scalar(tied) is None:
        raise NoSponsorError
    before, party.status = party.status, status
    record_party(
        session,
        subject_id=party_id,
        action="party.status_changed",
        actor_id=actor_id,
        changes={"status": [before, status]},
        reason=reason,
    )
    return party


def add_alias(session: Session, party_id: int, *, name: str, source: str, actor_id: int) -> None:
    """Note another name of the party; a name that it has already stays as it is.

    Raises:
        NoSuchRowError: if there is no such party.
    """
    load(session, Party, party_id)
    known = select(PartyAlias.id).where(PartyAlias.party_id == party_id, PartyAlias.name == name)
    if session.scalar(known) is not None:
        return
    session.add(PartyAlias(party_id=party_id, name=name, source=source))
    session.flush()
    told = {"source": phone.mask_in_text(source)}
    record_party(session, subject_id=party_id, action="party.alias_added", actor_id=actor_id, changes=told)


def _check_code(session: Session, code: str) -> None:
    taken = session.scalar(select(Party.name).where(Party.code == code))
    if taken is not None:
        raise CodeTakenError(code=code, name=taken)


def _free_credit_code(session: Session, text: str | None, party_id: int | None) -> str | None:
    if not text:
        return None
    code = normalise_credit_code(text)
    other = select(Party.name).where(Party.credit_code == code)
    if party_id is not None:
        other = other.where(Party.id != party_id)
    name = session.scalar(other)
    if name is not None:
        raise CreditCodeTakenError(name=name)
    return code
