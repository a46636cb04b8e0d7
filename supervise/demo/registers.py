"""The demo's register: an invented province with its branches, the parties that call for it, their numbers."""

import datetime as dt
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.cipher import Keyring
from supervise.complaints.subscribers import add_subscriber
from supervise.parties.capabilities import grant_capability
from supervise.parties.credit_code import check_character
from supervise.parties.models import Capability, PartyKind, PhoneNumber, RelationRole, SalesChannelKind, UnitKind
from supervise.parties.numbers import enter_number, hand_over, hold
from supervise.parties.register import Tie, add_alias, enter_party
from supervise.parties.sales_channels import assign_channel
from supervise.parties.scope import change_scope
from supervise.parties.staff import assign_staff_number
from supervise.parties.units import found_unit, merge_unit, party_of_unit

UNITS = (
    ("YZ", "云州省公司", UnitKind.PROVINCE, None, "CC-0000"),
    ("YZ-CD", "城东分公司", UnitKind.CITY, "YZ", "CC-1001"),
    ("YZ-CX", "城西分公司", UnitKind.CITY, "YZ", "CC-1002"),
    ("YZ-KF", "开发区分公司", UnitKind.CITY, "YZ", "CC-1003"),
    ("YZ-BJ", "滨江分公司", UnitKind.CITY, "YZ", "CC-1004"),
    ("YZ-GX", "高新分公司", UnitKind.CITY, "YZ", "CC-1005"),
    ("YZ-LC", "老城分公司", UnitKind.CITY, "YZ", "CC-1006"),
    ("YZ-BJ-SL", "三里店营业厅", UnitKind.HALL, "YZ-BJ", "CC-1041"),
    ("YZ-CD-WH", "城东外呼班组", UnitKind.TEAM, "YZ-CD", "CC-1011"),
)
CITIES = ("YZ-CD", "YZ-CX", "YZ-KF", "YZ-BJ", "YZ-GX")

#: Code, kind, name, above it, how: the chain worker's employer -> outsourcer -> agent -> sponsoring branch.
PARTIES = (
    ("HX", PartyKind.AGENT, "华信通讯代理有限公司", "YZ-CD", RelationRole.SPONSORED_BY),
    ("HT", PartyKind.AGENT, "恒通渠道服务有限公司", "YZ-CX", RelationRole.SPONSORED_BY),
    ("YY", PartyKind.AGENT, "云翼合作厅（三里店）", "YZ-BJ", RelationRole.SPONSORED_BY),
    ("LD", PartyKind.OUTSOURCER, "联达外呼服务有限公司", "HX", RelationRole.CONTRACTED_BY),
    ("XH", PartyKind.OUTSOURCER, "星河呼叫中心有限公司", "YZ-KF", RelationRole.SPONSORED_BY),
    ("RD", PartyKind.MARKETING_PARTNER, "锐达营销策划有限公司", "YZ-GX", RelationRole.SPONSORED_BY),
    ("XT", PartyKind.PORT_HOLDER, "信通短信服务有限公司", "YZ-GX", RelationRole.SPONSORED_BY),
)
#: Numbers of each party or branch.
NUMBERS = {
    "HX": ("02568801001", "02568801002", "17055500101", "18912340001"),
    "HT": ("02568802001", "02568802002", "17055500202"),
    "YY": ("02568803001", "13305510033"),
    "LD": ("02568804001", "02568804002", "02568804003", "17055500404"),
    "XH": ("02568805001", "02568805002", "95213001"),
    "RD": ("02568806001", "16255500606"),
    "YZ-CD": ("02566010001", "18951960001"),
    "YZ-BJ-SL": ("02566040001",),
}
PORT = ("XT", "10690333")
#: Who may do what, and where (empty: everywhere); the agent's outlet 云翼 sells, but may not call.
CAPABILITIES = (
    ("HX", Capability.OUTBOUND_CALL, "YZ-CD"),
    ("HX", Capability.SELL_PLAN, ""),
    ("HT", Capability.OUTBOUND_CALL, ""),
    ("HT", Capability.SELL_PLAN, ""),
    ("YY", Capability.SELL_PLAN, "YZ-BJ"),
    ("LD", Capability.OUTBOUND_CALL, "YZ-CD"),
    ("XH", Capability.OUTBOUND_CALL, ""),
    ("XH", Capability.SELL_PLAN, ""),
    ("RD", Capability.OUTBOUND_CALL, "YZ-GX"),
    ("XT", Capability.SMS, ""),
    ("YZ-CD", Capability.OUTBOUND_CALL, ""),
)
#: Channel code, name, kind, whose.
SALES_CHANNELS = (
    ("QD1001", "城东外呼班组", SalesChannelKind.OUTBOUND, "YZ-CD"),
    ("QD2001", "华信外呼席位", SalesChannelKind.OUTBOUND, "HX"),
    ("QD2002", "恒通代理网点", SalesChannelKind.AGENT_OUTLET, "HT"),
    ("QD2003", "云翼合作厅（三里店）", SalesChannelKind.AGENT_OUTLET, "YY"),
    ("QD3001", "三里店营业厅", SalesChannelKind.HALL, "YZ-BJ-SL"),
    ("QD9001", "网上营业厅", SalesChannelKind.ONLINE, "YZ"),
)
#: Reported often, held by nobody that we know.
STRANGERS = ("02531990001", "17199900001", "16799900002")
#: Announced by the carrier as its outbound number; whose worker dials from it, only the records tell.
OFFICIAL = "10016"
#: Passed from one party to another at a noon, so many days ago.
HANDED_OVER = "02568899999"
HANDED_OVER_DAYS = 20


@dataclass
class Registers:
    """What later parts of the demo refer to, by code."""

    users: dict[str, int]
    units: dict[str, int] = field(default_factory=dict)
    parties: dict[str, int] = field(default_factory=dict)
    subscribers: list[tuple[str, int, int]] = field(default_factory=list)


def make_registers(session: Session, keyring: Keyring, users: dict[str, int], since: dt.date) -> Registers:
    """Enter everything as of *since* and return the ids by code."""
    registers = Registers(users)
    _make_units(session, registers, since)
    _make_parties(session, registers, since)
    _make_numbers(session, registers, since)
    _make_staff(session, registers, since)
    _make_capabilities(session, registers, since)
    _make_sales_channels(session, registers, since)
    _make_subscribers(session, keyring, registers, since)
    _give_scopes(session, registers)
    return registers


def _make_units(session: Session, registers: Registers, since: dt.date) -> None:
    triager = registers.users["triager"]
    for code, name, kind, parent, cost_centre in UNITS:
        unit = found_unit(
            session,
            code=code,
            name=name,
            kind=kind,
            parent_id=registers.units[parent] if parent else None,
            valid_from=since,
            cost_centre=cost_centre,
            actor_id=triager,
        )
        registers.units[code] = unit.id
        registers.parties[code] = party_of_unit(session, unit.id).id
    merge_unit(
        session,
        registers.units["YZ-LC"],
        into_id=registers.units["YZ-CD"],
        on=since + dt.timedelta(days=120),
        reason="机构调整：老城分公司并入城东分公司",
        actor_id=triager,
    )


def _make_parties(session: Session, registers: Registers, since: dt.date) -> None:
    triager = registers.users["triager"]
    for place, (code, kind, name, above, role) in enumerate(PARTIES, start=1):
        first_17 = f"9132010{place}MA1YK{place:04d}"
        party = enter_party(
            session,
            code=code,
            kind=kind,
            name=name,
            credit_code=first_17 + check_character(first_17),
            tie=Tie(registers.parties[above], role, since),
            contact="合同联系人见合同附件",
            actor_id=triager,
        )
        registers.parties[code] = party.id
    add_alias(session, registers.parties["XH"], name="星河客服", source="投诉人转述", actor_id=triager)
    add_alias(session, registers.parties["LD"], name="联通外呼中心", source="招聘网站自称", actor_id=triager)


def _make_numbers(session: Session, registers: Registers, since: dt.date) -> None:
    triager, from_at = registers.users["triager"], clock.start_of_day(since)
    for code, numbers in NUMBERS.items():
        for digits in numbers:
            number = enter_number(session, text=digits, actor_id=triager)
            hold(
                session,
                number_id=number.id,
                party_id=registers.parties[code],
                held_from=from_at,
                source="合同附件：外呼号码清单",
                actor_id=triager,
            )
    code, prefix = PORT
    port = enter_number(session, text=prefix, is_prefix=True, actor_id=triager)
    hold(
        session,
        number_id=port.id,
        party_id=registers.parties[code],
        held_from=from_at,
        source="端口登记表",
        actor_id=triager,
    )
    number = enter_number(session, text=HANDED_OVER, actor_id=triager)
    hold(
        session,
        number_id=number.id,
        party_id=registers.parties["HT"],
        held_from=from_at,
        source="合同附件：外呼号码清单",
        actor_id=triager,
    )


def hand_over_at_noon(session: Session, registers: Registers) -> None:
    """Pass one number on at the present moment, a noon: calls of that day are told apart by the hour."""
    number_id = session.scalars(select(PhoneNumber.id).where(PhoneNumber.digits == HANDED_OVER)).one()
    hand_over(
        session,
        number_id=number_id,
        party_id=registers.parties["XH"],
        at=clock.now(),
        source="号码过户登记",
        actor_id=registers.users["triager"],
    )


def _make_staff(session: Session, registers: Registers, since: dt.date) -> None:
    staff = (("8001", "LD", "YZ-CD", "小王"), ("8002", "LD", "YZ-CD", "小李"), ("9583", "XH", "YZ-KF", "客服9583"))
    for staff_number, employer, place, alias in staff:
        assign_staff_number(
            session,
            carrier_code="CU",
            staff_number=staff_number,
            employer_id=registers.parties[employer],
            placed_at_id=registers.parties[place],
            alias=alias,
            valid_from=since,
            actor_id=registers.users["triager"],
        )


def _make_capabilities(session: Session, registers: Registers, since: dt.date) -> None:
    for party, capability, area in CAPABILITIES:
        grant_capability(
            session,
            party_id=registers.parties[party],
            capability=capability,
            area_unit_id=registers.units[area] if area else None,
            valid_from=since,
            source="年度业务授权书",
            actor_id=registers.users["triager"],
        )


def _make_sales_channels(session: Session, registers: Registers, since: dt.date) -> None:
    for code, name, kind, party in SALES_CHANNELS:
        assign_channel(
            session,
            channel_code=code,
            name=name,
            kind=kind,
            party_id=registers.parties[party],
            valid_from=since,
            actor_id=registers.users["triager"],
        )


def _make_subscribers(session: Session, keyring: Keyring, registers: Registers, since: dt.date) -> None:
    for place in range(60):
        number = f"1{30 + place % 10}0551{1000 + place * 37:04d}"
        unit_id = registers.units[CITIES[place % len(CITIES)]]
        subscriber = add_subscriber(
            session,
            keyring,
            number=number,
            account_ref=f"AC{71000000 + place * 137}",
            unit_id=unit_id,
            held_from=clock.start_of_day(since),
            source="客户资料（演示）",
            actor_id=registers.users["clerk"],
        )
        registers.subscribers.append((number, subscriber.id, unit_id))


def _give_scopes(session: Session, registers: Registers) -> None:
    scopes: tuple[tuple[str, list[str], list[str]], ...] = (
        ("clerk", ["YZ"], []),
        ("manager", ["YZ-CD"], []),
        ("manager2", ["YZ-BJ"], []),
        ("partner", [], ["HX"]),
        ("partner2", [], ["HT"]),
        ("partner3", [], ["XH"]),
    )
    for username, units, parties in scopes:
        change_scope(
            session,
            registers.users[username],
            unit_ids=[registers.units[code] for code in units],
            party_ids=[registers.parties[code] for code in parties],
            reason="演示账号的数据范围",
            actor_id=registers.users["admin"],
        )
