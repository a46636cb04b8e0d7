"""What a branch holds goes over to the branch it is merged into, from a day on; the past stays where it was."""

import datetime as dt

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from supervise import clock
from supervise.parties.models import NumberHolder, PartyRelation, SalesChannel, StaffNumber


def carry_over(session: Session, party_id: int, to_id: int, on: dt.date) -> None:
    """End numbers, workers' places, sponsored relations and sales channels of *party_id* on the day for *to_id*.

    A row that starts on that day or later changes hands whole. What the branch was allowed to do is not handed on:
    the other has capabilities of its own.
    """
    _carry_numbers(session, party_id, to_id, clock.start_of_day(on))
    _carry_staff(session, party_id, to_id, on)
    _carry_relations(session, party_id, to_id, on)
    _carry_channels(session, party_id, to_id, on)


def _carry_numbers(session: Session, party_id: int, to_id: int, at: dt.datetime) -> None:
    held = select(NumberHolder).where(
        NumberHolder.party_id == party_id,
        NumberHolder.held_from < at,
        or_(NumberHolder.held_to.is_(None), NumberHolder.held_to > at),
    )
    continued = []
    for row in session.scalars(held).all():
        continued.append(
            NumberHolder(
                number_id=row.number_id,
                party_id=to_id,
                held_from=at,
                held_to=row.held_to,
                source=row.source,
                recorded_at=clock.now(),
            )
        )
        row.held_to, row.version = at, row.version + 1
    session.execute(
        update(NumberHolder)
        .where(NumberHolder.party_id == party_id, NumberHolder.held_from >= at)
        .values(party_id=to_id)
    )
    _put(session, continued)


def _carry_staff(session: Session, party_id: int, to_id: int, on: dt.date) -> None:
    def after(found_id: int | None) -> int | None:
        return to_id if found_id == party_id else found_id

    worked = select(StaffNumber).where(
        or_(StaffNumber.employer_id == party_id, StaffNumber.placed_at_id == party_id),
        or_(StaffNumber.valid_to.is_(None), StaffNumber.valid_to > on),
    )
    continued = []
    for row in session.scalars(worked).all():
        if row.valid_from >= on:
            row.employer_id, row.placed_at_id = after(row.employer_id) or to_id, after(row.placed_at_id)
            continue
        continued.append(
            StaffNumber(
                carrier_code=row.carrier_code,
                staff_number=row.staff_number,
                alias=row.alias,
                employer_id=after(row.employer_id),
                placed_at_id=after(row.placed_at_id),
                valid_from=on,
                valid_to=row.valid_to,
            )
        )
        row.valid_to, row.version = on, row.version + 1
    _put(session, continued)


def _carry_relations(session: Session, party_id: int, to_id: int, on: dt.date) -> None:
    below = select(PartyRelation).where(
        PartyRelation.parent_id == party_id, or_(PartyRelation.valid_to.is_(None), PartyRelation.valid_to > on)
    )
    continued = []
    for row in session.scalars(below).all():
        if row.valid_from >= on:
            row.parent_id = to_id
            continue
        continued.append(
            PartyRelation(child_id=row.child_id, parent_id=to_id, role=row.role, valid_from=on, valid_to=row.valid_to)
        )
        row.valid_to, row.version = on, row.version + 1
    _put(session, continued)


def _carry_channels(session: Session, party_id: int, to_id: int, on: dt.date) -> None:
    sold = select(SalesChannel).where(
        SalesChannel.party_id == party_id, or_(SalesChannel.valid_to.is_(None), SalesChannel.valid_to > on)
    )
    continued = []
    for row in session.scalars(sold).all():
        if row.valid_from >= on:
            row.party_id = to_id
            continue
        continued.append(
            SalesChannel(
                channel_code=row.channel_code,
                name=row.name,
                kind=row.kind,
                party_id=to_id,
                valid_from=on,
                valid_to=row.valid_to,
            )
        )
        row.valid_to, row.version = on, row.version + 1
    _put(session, continued)


def _put(
    session: Session, rows: list[NumberHolder] | list[StaffNumber] | list[PartyRelation] | list[SalesChannel]
) -> None:
    # The old rows end first, or the database would see two holders at a time.
    session.flush()
    session.add_all(rows)
    session.flush()
