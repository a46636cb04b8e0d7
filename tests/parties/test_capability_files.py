"""Files of what parties may do, of sales channels and of plans: judged row by row, and what goes out comes in again."""

import datetime as dt
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from reports.plans import PLAN_COLUMNS, plan_lines
from reports.registers import CAPABILITY_COLUMNS, SALES_CHANNEL_COLUMNS, capability_lines, sales_channel_lines
from supervise.cipher import Keyring
from supervise.contracts.plan_file import PlanFile
from supervise.contracts.plan_queries import PlanFilters, plan_periods
from supervise.files.models import ImportKind
from supervise.parties.capability_queries import CapabilityFilters, capability_periods
from supervise.parties.imports.steps import REGISTER_FILES
from supervise.parties.models import Capability, SalesChannelKind
from supervise.parties.sales_channel_queries import SalesChannelFilters, sales_channel_periods
from supervise.parties.scope import Scope
from tests.factories.contracts import make_plan
from tests.factories.import_desk import Desk
from tests.factories.parties import EVER_SINCE, make_capability, make_channel, make_party, make_unit

MARCH = dt.date(2026, 3, 1)
CAPABILITIES = ("责任方编码", "权限", "区域编码", "生效日期", "停用日期", "依据")
CHANNELS = ("渠道编码", "渠道名称", "渠道类型", "责任方编码", "生效日期", "停用日期")
PLANS = ("套餐编码", "套餐名称", "月费", "公示日期", "停售日期", "可售渠道类型", "可售渠道编码")


@pytest.fixture
def desk(session: Session, keyring: Keyring, tmp_path: Path) -> Desk:
    return Desk(session, keyring, tmp_path, {**REGISTER_FILES, ImportKind.PLANS: PlanFile()})


def test_capabilities_come_in_and_what_is_wrong_is_named(session: Session, desk: Desk) -> None:
    agent, area = make_party(session, code="A1", name="宏鼎"), make_unit(session, code="029")

    batch = desk.bring_in(
        ImportKind.CAPABILITIES,
        [
            CAPABILITIES,
            ("A1", "outbound_call", "029", "2026-03-01", "2026-06-01", "授权书"),
            ("A1", "outbound_call", "029", "2026-05-01", "", "授权书"),
            ("A1", "outbound_call", "099", "2026-05-01", "", "授权书"),
            ("A9", "sell_plan", "", "2026-03-01", "", "授权书"),
            ("A1", "fly", "", "2026-03-01", "", "授权书"),
        ],
    )

    words = desk.words(batch)
    assert (batch.rows_new, batch.rows_error) == (1, 4)
    assert words[3].startswith("Row 2 says that 宏鼎 may do this")
    assert "no unit with the code 099" in words[4]
    assert "No party has the code A9" in words[5]
    assert "none of the possible values: fly" in words[6]
    assert capability_periods(session) == [
        (agent.id, Capability.OUTBOUND_CALL, area.id, MARCH, dt.date(2026, 6, 1)),
    ]


def test_a_channel_of_another_party_or_name_is_no_longer_the_known_one(session: Session, desk: Desk) -> None:
    make_channel(session, party=make_party(session, code="A1", name="宏鼎"))
    make_party(session, code="A2")
    begun = f"{EVER_SINCE}"

    batch = desk.bring_in(
        ImportKind.SALES_CHANNELS,
        [
            CHANNELS,
            ("QD001", "合作厅", "agent_outlet", "A2", begun, ""),
            ("QD002", "网厅", "online", "A2", "2026-03-01", ""),
        ],
    )

    assert (batch.rows_new, batch.rows_error) == (1, 1)
    assert "this channel leads to 宏鼎" in desk.words(batch)[2]
    assert {one.channel_code for one in sales_channel_periods(session)} == {"QD001", "QD002"}


def test_plans_come_in_with_their_channels_and_another_price_is_an_error(session: Session, desk: Desk) -> None:
    make_plan(session, code="CX59")

    batch = desk.bring_in(
        ImportKind.PLANS,
        [
            PLANS,
            ("CX59", "畅享套餐", "69", f"{EVER_SINCE}", "", "", ""),
            ("RW19", "入网有福利", "19.00", "2026-03-01", "", "agent_outlet；hall", "QD777"),
            ("BAD", "倒贴", "-1", "2026-03-01", "", "", ""),
        ],
    )

    words = desk.words(batch)
    assert (batch.rows_new, batch.rows_error) == (1, 2)
    assert "published as 畅享套餐" in words[2]
    assert set(words) == {2, 4}
    [narrowed] = [one for one in plan_periods(session) if one.code == "RW19"]
    assert narrowed.kinds == {SalesChannelKind.AGENT_OUTLET, SalesChannelKind.HALL}
    assert (set(narrowed.channel_codes), narrowed.monthly_price_fen) == ({"QD777"}, 19_00)


@pytest.mark.parametrize("locale", ["zh_Hans", "en"])
def test_what_goes_out_comes_in_again_as_known(session: Session, desk: Desk, locale: str) -> None:
    everything, agent = Scope.everything(), make_party(session, code="A1")
    make_capability(session, party=agent, area_unit_id=make_unit(session).id)
    make_channel(session, party=agent)
    kinds = frozenset({SalesChannelKind.HALL, SalesChannelKind.ONLINE})
    make_plan(session, kinds=kinds, channel_codes=frozenset({"QD001", "QD002"}))

    granted = capability_lines(session, everything, CapabilityFilters())
    channels = sales_channel_lines(session, everything, SalesChannelFilters())
    published = plan_lines(session, PlanFilters())
    sent = [
        desk.send_back(CAPABILITY_COLUMNS, granted, ImportKind.CAPABILITIES, locale),
        desk.send_back(SALES_CHANNEL_COLUMNS, channels, ImportKind.SALES_CHANNELS, locale),
        desk.send_back(PLAN_COLUMNS, published, ImportKind.PLANS, locale),
    ]

    assert [(batch.rows_known, batch.rows_total) for batch in sent] == [(1, 1)] * 3
