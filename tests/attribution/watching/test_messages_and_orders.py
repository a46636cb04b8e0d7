"""Irregular messages and orders: what each kind finds, and what it lets pass."""

import datetime as dt
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from supervise import clock
from supervise.attribution.watch_models import WatchKind, WatchThreshold
from supervise.attribution.watching.kinds import Irregularity
from supervise.attribution.watching.looking import Watch, parties_of, rows_of
from supervise.cipher import Keyring
from supervise.contracts.plans import PlanTerms, publish_plan
from supervise.evidence.models import RecordKind
from supervise.parties.models import Party, PartyKind, SalesChannelKind
from tests.factories.parties import make_holder, make_party, make_sales_channel, make_staff_number
from tests.factories.parties import make_number as make_registered
from tests.factories.records import write_records

DAY = dt.date(2026, 9, 29)
NOON = clock.from_china(dt.datetime.combine(DAY, dt.time(12)))
MINUTE = dt.timedelta(minutes=1)
SUBSCRIBER = "13912345678"


def found(session: Session, kind: Irregularity, day: dt.date = DAY) -> list[tuple[int | None, int]]:
    """Of each party: (party, irregular records)."""
    watch = Watch(session, day)
    assert watch.is_watched(kind)
    return [(row["party_id"], row["records"]) for row in parties_of(watch, kind).to_pylist()]


def details(session: Session, kind: Irregularity, party: Party) -> list[tuple[str, str | None]]:
    """The irregular records of a party: (record id, what is wrong)."""
    rows = rows_of(Watch(session, DAY), kind, party.id).to_pylist()
    return [(row["record_id"], row["detail"]) for row in rows]


def set_figure(session: Session, kind: WatchKind, value: int) -> None:
    session.execute(sa.update(WatchThreshold).where(WatchThreshold.kind == kind).values(value=value))


# Messages


def message(port: str, minute: int, subscriber: str = SUBSCRIBER) -> dict[str, Any]:
    """A row of a message gateway."""
    return {"port": port, "subscriber": subscriber, "sent_at": NOON + minute * MINUTE}


def test_messages_to_one_subscriber_are_counted_over_the_sub_ports_of_a_port(
    session: Session, keyring: Keyring
) -> None:
    holder = make_party(session, kind=PartyKind.PORT_HOLDER)
    make_holder(session, party=holder, number=make_registered(session, digits="1069000012", is_prefix=True))
    set_figure(session, WatchKind.SMS_PER_SUBSCRIBER, 2)
    rows = [message(f"10690000120{n}", n) for n in range(3)]
    others = [message("106900001200", 5, subscriber="13900000001"), message("1069111100", 6)]
    write_records(session, keyring, RecordKind.MESSAGES, [*rows, *others], platform="smsc")

    assert found(session, Irregularity.SMS_BURST) == [(holder.id, 1)]

    set_figure(session, WatchKind.SMS_PER_SUBSCRIBER, 3)
    assert found(session, Irregularity.SMS_BURST) == []


def test_the_volume_of_a_port_is_counted_over_all_subscribers_and_goes_to_the_longest_prefix(
    session: Session, keyring: Keyring
) -> None:
    whole, part = make_party(session), make_party(session)
    make_holder(session, party=whole, number=make_registered(session, digits="10690000", is_prefix=True))
    make_holder(session, party=part, number=make_registered(session, digits="1069000012", is_prefix=True))
    set_figure(session, WatchKind.SMS_PER_PORT, 1)
    rows = [message("106900001201", n, subscriber=f"1390000000{n}") for n in range(2)]
    write_records(session, keyring, RecordKind.MESSAGES, [*rows, message("106900009901", 3)], platform="smsc")

    assert found(session, Irregularity.PORT_VOLUME) == [(part.id, 1)]


# Orders


@pytest.fixture
def seller(session: Session) -> Party:
    """An agent that sells under a channel code of an outlet."""
    party = make_party(session)
    make_sales_channel(session, party=party, channel_code="QD01", kind=SalesChannelKind.AGENT_OUTLET)
    return party


def order(record_id: str = "O1", **values: Any) -> dict[str, Any]:
    """A row of the order system, confirmed in good order."""
    return {
        "record_id": record_id,
        "subscriber": SUBSCRIBER,
        "ordered_at": NOON,
        "channel_code": "QD01",
        "plan_after": "P99",
        "consented_at": NOON - 3 * MINUTE,
        "confirmation_sent_at": NOON - 2 * MINUTE,
        "confirmed_at": NOON - MINUTE,
        "notice_sent_at": NOON + MINUTE,
        **values,
    }


def test_each_missing_step_of_the_confirmation_is_named(session: Session, keyring: Keyring, seller: Party) -> None:
    rows = [order("O1"), order("O2", confirmed_at=None), order("O3", consented_at=None, notice_sent_at=None)]
    write_records(session, keyring, RecordKind.ORDERS, rows, platform="boss")

    assert details(session, Irregularity.ORDER_STEP_MISSING, seller) == [("O2", "reply"), ("O3", "consent,notice")]


def test_all_orders_of_a_party_are_counted_beside_the_irregular_ones_and_nobodys_too(
    session: Session, keyring: Keyring, seller: Party
) -> None:
    rows = [order("O1"), order("O2", confirmed_at=None), order("O3", channel_code="QD09", confirmed_at=None)]
    write_records(session, keyring, RecordKind.ORDERS, rows, platform="boss")

    counted = parties_of(Watch(session, DAY), Irregularity.ORDER_STEP_MISSING).to_pylist()

    assert {row["party_id"]: (row["records"], row["looked_at"], row["is_suspected"]) for row in counted} == {
        seller.id: (1, 2, True),
        None: (1, 1, True),
    }


def test_a_party_whose_orders_are_in_order_is_counted_and_not_suspected(
    session: Session, keyring: Keyring, seller: Party
) -> None:
    write_records(session, keyring, RecordKind.ORDERS, [order("O1")], platform="boss")

    [row] = parties_of(Watch(session, DAY), Irregularity.ORDER_STEP_MISSING).to_pylist()

    assert (row["party_id"], row["looked_at"], row["is_suspected"]) == (seller.id, 1, False)


def test_each_step_before_its_turn_is_named_and_steps_of_one_moment_pass(
    session: Session, keyring: Keyring, seller: Party
) -> None:
    at_once = dict.fromkeys(("consented_at", "confirmation_sent_at", "confirmed_at", "notice_sent_at"), NOON)
    rows = [
        order("O1"),
        order("O2", **at_once),
        order("O3", confirmed_at=NOON - 4 * MINUTE),
        order("O4", confirmation_sent_at=None, notice_sent_at=NOON - 4 * MINUTE),
    ]
    write_records(session, keyring, RecordKind.ORDERS, rows, platform="boss")

    assert details(session, Irregularity.ORDER_STEPS_SWAPPED, seller) == [
        ("O3", "reply<consent,reply<confirmation"),
        ("O4", "notice<consent,notice<reply"),
    ]


def test_an_order_under_an_unknown_channel_goes_to_the_employer_of_its_staff_number(
    session: Session, keyring: Keyring
) -> None:
    employer = make_party(session)
    make_staff_number(session, employer=employer, staff_number="8001")
    rows = [order("O1", channel_code="QD77", staff_number="8001", consented_at=None)]
    write_records(session, keyring, RecordKind.ORDERS, rows, platform="boss")

    assert found(session, Irregularity.ORDER_STEP_MISSING) == [(employer.id, 1)]


def publish(session: Session, code: str, published_to: dt.date | None = None, **where: Any) -> None:
    terms = PlanTerms(
        name=code,
        monthly_price_fen=9_900,
        published_from=dt.date(2026, 1, 1),
        published_to=published_to,
        **where,
    )
    publish_plan(session, code, terms, actor_id=1)


def test_a_plan_sold_after_its_publication_is_found_and_one_that_nobody_published_is_another_kind(
    session: Session, keyring: Keyring, seller: Party
) -> None:
    publish(session, "P99")
    publish(session, "P59", published_to=DAY)
    rows = [order("O1"), order("O2", plan_after="P59"), order("O3", plan_after="P00"), order("O4", plan_after=None)]
    write_records(session, keyring, RecordKind.ORDERS, rows, platform="boss")

    assert details(session, Irregularity.PLAN_UNPUBLISHED, seller) == [("O2", None)]
    assert details(session, Irregularity.PLAN_UNKNOWN, seller) == [("O3", None)]


def test_a_plan_is_allowed_by_the_kind_or_the_code_of_its_channel(
    session: Session, keyring: Keyring, seller: Party
) -> None:
    make_sales_channel(session, party=seller, channel_code="QD02", kind=SalesChannelKind.OUTBOUND)
    publish(session, "EVERYWHERE")
    publish(session, "OUTLETS", kinds=frozenset({SalesChannelKind.AGENT_OUTLET}))
    publish(session, "ONE", channel_codes=frozenset({"QD02"}))
    rows = [
        order(f"{plan}-{code}", plan_after=plan, channel_code=code)
        for plan in ("EVERYWHERE", "OUTLETS", "ONE")
        for code in ("QD01", "QD02")
    ]
    write_records(session, keyring, RecordKind.ORDERS, rows, platform="boss")

    assert details(session, Irregularity.PLAN_NOT_ON_CHANNEL, seller) == [("ONE-QD01", None), ("OUTLETS-QD02", None)]


def test_without_a_catalogue_no_plan_is_unknown(session: Session) -> None:
    assert not Watch(session, DAY).is_watched(Irregularity.PLAN_UNKNOWN)
