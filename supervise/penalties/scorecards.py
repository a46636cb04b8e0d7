"""Cards of parties by month: computed for all at once, frozen when the figures of a month are in, followed in time.

Source: docs/rules.md, rules S-7 to S-9.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.audit.record import record_event
from supervise.bulk import among, insert_rows
from supervise.db import take_turn
from supervise.parties.models import Party
from supervise.parties.periods import holds_at
from supervise.penalties.card_figures import figures_of_month
from supervise.penalties.score_models import CardStanding, Scorecard, ScoreScheme
from supervise.penalties.scoring import Criterion, Figure, Part, Scheme, parse_weights, parts_of, score_of

#: By then calls and orders of a month are recorded: its cards are frozen on the day after.
FROZEN_AFTER = dt.timedelta(days=10)
#: Months that the first run freezes at most, and that a trend shows.
MONTHS = 12


@dataclass(frozen=True)
class Card:
    """A party's card of a month."""

    party_id: int
    month: str
    score: int | None
    standing: CardStanding
    parts: Sequence[Part]
    #: When it was frozen; None: it still follows what happens.
    frozen_at: dt.datetime | None


def scheme_of_month(session: Session, month: str) -> tuple[int, Scheme] | None:
    """Return the scheme in force on the first day of the month with its id; None: nothing is scored that month."""
    first, _ = clock.month_bounds(month)
    row = session.scalars(
        select(ScoreScheme).where(holds_at(ScoreScheme.valid_from, ScoreScheme.valid_to, first))
    ).one_or_none()
    return None if row is None else (row.id, scheme_from(row))


def scheme_from(row: ScoreScheme) -> Scheme:
    """Return a stored scheme as scoring reads it."""
    return Scheme(parse_weights(row.criteria), row.good_from, row.watch_from, row.poor_from)


def cards_of_month(session: Session, month: str, *, party_ids: Collection[int] | None = None) -> dict[int, Card]:
    """Return the cards of the month by party: as frozen, else as they stand today.

    Of a party without a card nothing is known for that month.
    """
    frozen = _frozen(session, [month], party_ids)
    if frozen or is_frozen(session, month):
        return {card.party_id: card for card in frozen}
    found = scheme_of_month(session, month)
    if found is None:
        return {}
    _, scheme = found
    figures = figures_of_month(session, month, clock.today(), party_ids)
    return {party_id: _card(party_id, month, counted, scheme) for party_id, counted in figures.items()}


def trend_of(session: Session, party_id: int, last_month: str) -> list[tuple[str, Card | None]]:
    """Return the party's cards of the last months until *last_month*, the oldest first; None: nothing is known."""
    first, _ = clock.month_bounds(last_month)
    months = [clock.month_of(clock.months_after(first, -back)) for back in range(MONTHS - 1, -1, -1)]
    known = set(session.scalars(select(Scorecard.month).where(Scorecard.month.in_(months)).distinct()))
    cards = {card.month: card for card in _frozen(session, months, [party_id])}
    for month in months:
        if month not in known and (card := cards_of_month(session, month, party_ids=[party_id]).get(party_id)):
            cards[month] = card
    return [(month, cards.get(month)) for month in months]


def freeze_due(session: Session, on: dt.date) -> list[str]:
    """Freeze the cards of the months whose figures are in by the China day, and return the months.

    A month that has a frozen card is frozen: twice does nothing twice.
    """
    take_turn(session, "scorecards")
    frozen = []
    for month in _months_over(on):
        found = scheme_of_month(session, month)
        if found is None or is_frozen(session, month):
            continue
        scheme_id, scheme = found
        figures = figures_of_month(session, month, on)
        if figures:
            _freeze(
                session,
                month,
                scheme_id,
                [_card(party_id, month, counted, scheme) for party_id, counted in sorted(figures.items())],
            )
            frozen.append(month)
    return frozen


def is_frozen(session: Session, month: str) -> bool:
    """Say whether the cards of the month are frozen."""
    return session.scalar(select(Scorecard.id).where(Scorecard.month == month).limit(1)) is not None


def _months_over(on: dt.date) -> list[str]:
    """Return the months whose figures are in, the oldest first."""
    first = (on - FROZEN_AFTER).replace(day=1)
    return [clock.month_of(clock.months_after(first, -back)) for back in range(MONTHS, 0, -1)]


def _freeze(session: Session, month: str, scheme_id: int, cards: Sequence[Card]) -> None:
    now = clock.now()
    insert_rows(
        session,
        Scorecard.__table__,
        [
            {
                "party_id": card.party_id,
                "month": month,
                "figures": {part.criterion.value: list(part.figure) for part in card.parts},
                "score": card.score,
                "standing": card.standing,
                "scheme_id": scheme_id,
                "frozen_at": now,
            }
            for card in cards
        ],
    )
    record_event(
        session,
        actor_id=None,
        action="scorecards.frozen",
        subject="scorecard",
        subject_id=None,
        changes={"month": month, "cards": len(cards)},
    )


def _frozen(session: Session, months: Collection[str], party_ids: Collection[int] | None) -> list[Card]:
    survivor = func.coalesce(Party.merged_into_id, Party.id)
    query = (
        select(survivor, Scorecard, ScoreScheme)
        .join(Party, Party.id == Scorecard.party_id)
        .join(ScoreScheme, ScoreScheme.id == Scorecard.scheme_id)
        .where(Scorecard.month.in_(months))
        # Where two entries were merged since, the card of the one that lives on comes last and holds.
        .order_by(Scorecard.month, Party.merged_into_id.is_(None), Scorecard.id)
    )
    if party_ids is not None:
        query = query.where(among(session, survivor, party_ids))
    cards = []
    for party_id, row, scheme in session.execute(query):
        figures = {criterion: Figure(*row.figures[criterion.value]) for criterion in Criterion}
        parts = parts_of(figures, scheme_from(scheme))
        cards.append(Card(party_id, row.month, row.score, row.standing, parts, row.frozen_at))
    return cards


def _card(party_id: int, month: str, figures: Mapping[Criterion, Figure], scheme: Scheme) -> Card:
    score = score_of(figures, scheme)
    return Card(party_id, month, score, scheme.standing(score), parts_of(figures, scheme), None)
