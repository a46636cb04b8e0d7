"""Load the reference rows that the law and the carriers publish: without them nothing can be taken in or judged.

One function for each subject. Only what is not there yet is inserted, so that a database that was taken down to
0011 and up again keeps its administrator's rows. Going down deletes nothing: rows in use cannot go, and the
tables go with the revisions that made them.
Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import chinese_calendar
import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

Row = Mapping[str, Any]

_SATURDAY = 5
#: The years whose holidays were published when this was written.
CALENDAR_YEARS = range(2004, 2027)


def upgrade() -> None:
    """Load every subject's rows."""
    _load_official_numbers()
    _load_calendar()
    _load_deadline_rules()
    _load_offence_types()
    _load_import_profiles()
    _load_accounting_labels()
    _load_resolution_codes()
    _load_reply_templates()


def downgrade() -> None:
    """Leave the rows: what refers to them would be torn."""


def _insert_missing(
    table: str, keys: Sequence[str], rows: Sequence[Row], types: Mapping[str, Any] | None = None
) -> None:
    """Insert those of *rows* whose *keys* are not in *table* yet; *types* for columns that are no plain text."""
    if not rows:
        return
    types = types or {}
    target = sa.table(table, *(sa.column(name, types.get(name, sa.Text())) for name in rows[0]))
    bind = op.get_bind()
    known = {tuple(row) for row in bind.execute(sa.select(*(target.c[key] for key in keys)))}
    missing = [dict(row) for row in rows if tuple(row[key] for key in keys) not in known]
    if missing:
        bind.execute(sa.insert(target), missing)


def _now() -> dt.datetime:
    now = dt.datetime.now(dt.UTC)
    return now.replace(tzinfo=None) if op.get_bind().dialect.name == "sqlite" else now


# Working days (complaints)


def _load_calendar() -> None:
    years = [{"year": year, "source": "chinesecalendar 1.11.0", "loaded_at": _now()} for year in CALENDAR_YEARS]
    types = {"year": sa.Integer(), "loaded_at": sa.DateTime(timezone=True)}
    _insert_missing("calendar_year", ["year"], years, types)
    first, end = dt.date(CALENDAR_YEARS[0], 1, 1), dt.date(CALENDAR_YEARS[-1] + 1, 1, 1)
    days = [first + dt.timedelta(n) for n in range((end - first).days)]
    odd = [
        {
            "day": day,
            "is_working": day.weekday() >= _SATURDAY,
            "note": chinese_calendar.get_holiday_detail(day)[1],
        }
        for day in days
        if chinese_calendar.is_workday(day) != (day.weekday() < _SATURDAY)
    ]
    _insert_missing("calendar_day", ["day"], odd, {"day": sa.Date(), "is_working": sa.Boolean()})


# Deadlines of the channels (complaints)

#: channel, days, kind of days, source, from, to. Marked 待法务确认: no primary text was found for it.
DEADLINE_RULES = (
    (None, 15, "working", "电信用户申诉处理暂行办法（原信息产业部令第7号）", "2001-01-11", "2016-07-30"),
    (None, 15, "natural", "电信用户申诉处理办法第十条：企业应当自接到投诉之日起十五日内答复", "2016-07-30", None),
    ("12321", 15, "working", "通信短信息服务管理规定（工信部令第31号）；语音参照执行,待法务确认", "2015-06-30", None),
    ("12300", 10, "natural", "工信部及通管局申诉转办件答复时限,待法务确认；以转办单所载期限为准", "2016-07-30", None),
    ("12345", 5, "working", "济南市、潍坊市12345市民服务热线条例；其他城市以派单所载期限为准", "2018-10-01", None),
    ("12315", 7, "working", "市场监管投诉受理决定时限,待法务确认；以转办单所载期限为准", "2020-01-01", None),
    ("media", 3, "working", "公司内部要求：媒体问询", "2016-07-30", None),
    ("directive", 5, "working", "公司内部要求：监管督办件；以文件所载期限为准", "2016-07-30", None),
)


def _load_deadline_rules() -> None:
    rows = [
        {
            "channel": channel,
            "days": days,
            "day_type": day_type,
            "source": source,
            "valid_from": dt.date.fromisoformat(first),
            "valid_to": dt.date.fromisoformat(end) if end else None,
        }
        for channel, days, day_type, source, first, end in DEADLINE_RULES
    ]
    types = {"days": sa.Integer(), "valid_from": sa.Date(), "valid_to": sa.Date()}
    _insert_missing("deadline_rule", ["channel", "valid_from"], rows, types)


# Offence types (complaints)

_CONSUMER_LAW = "消费者权益保护法第二十九条第三款；消费者权益保护法实施条例第二十四条"
_UNIFIED = "三家基础电信企业统一外呼号码规则（2025年8月1日起施行）"
_CALL_CENTRES = "工信部信管〔2020〕81号"
_CAMPAIGN = "工信部联信管〔2018〕138号（综合整治骚扰电话专项行动方案）"
_SMS_ORDER = "通信短信息服务管理规定（工信部令第31号）第十八条、第二十条"
_TELECOM = "电信条例第四十条"

#: code, family, Chinese, English, legal basis, from. Families after domain A19: frequency, method, content, process.
OFFENCE_TYPES = (
    (
        "without_consent",
        "method",
        "未经同意拨打营销电话",
        "Marketing call without consent",
        _CONSUMER_LAW,
        "2014-03-15",
    ),
    ("after_refusal", "method", "明确拒绝后再次拨打", "Call after refusal", _CONSUMER_LAW, "2014-03-15"),
    (
        "unauthorised_number",
        "method",
        "使用非授权号码外呼营销",
        "Marketing from an unauthorised number",
        _UNIFIED,
        "2025-08-01",
    ),
    (
        "official_number_misuse",
        "method",
        "违规使用官方号码或服务热线营销",
        "Misuse of an official number or hotline",
        _UNIFIED,
        "2025-08-01",
    ),
    ("frequency", "frequency", "频繁拨打", "Calls too frequent", _CAMPAIGN, "2018-07-18"),
    ("night_hours", "frequency", "休息时间拨打", "Call at rest hours", _CALL_CENTRES, "2020-06-08"),
    (
        "misleading_free",
        "content",
        "以“免费”误导营销",
        "Misleading free offer",
        "消费者权益保护法第二十条；反不正当竞争法第八条",
        "2014-03-15",
    ),
    ("false_promotion", "content", "虚假或诱导宣传", "False or inducing promotion", _TELECOM, "2016-02-06"),
    (
        "concealment",
        "content",
        "隐瞒资费、有效期或限制条件",
        "Concealment of price, term or limits",
        _UNIFIED,
        "2025-08-01",
    ),
    ("unpublished_tariff", "content", "推销未公示的资费", "Offer of an unpublished tariff", _UNIFIED, "2025-08-01"),
    (
        "false_identity",
        "content",
        "冒充运营商员工或不表明身份",
        "False or concealed identity of the caller",
        "消费者权益保护法第二十一条",
        "2014-03-15",
    ),
    ("no_recording", "process", "未按规定录音", "No recording", _CALL_CENTRES, "2020-06-08"),
    ("no_quality_check", "process", "未按规定复查", "No quality check", _UNIFIED, "2025-08-01"),
    (
        "unauthorised_order",
        "process",
        "未经用户确认办理业务",
        "Order without the user's confirmation",
        _TELECOM,
        "2016-02-06",
    ),
    (
        "no_outbound_permission",
        "process",
        "无外呼权限开展外呼",
        "Outbound calls without permission",
        _CAMPAIGN,
        "2018-07-18",
    ),
    (
        "personal_data_misuse",
        "process",
        "违规获取或使用用户个人信息",
        "Misuse of the subscriber's data",
        "个人信息保护法第十三条、第二十一条",
        "2021-11-01",
    ),
    (
        "sms_without_consent",
        "method",
        "未经同意发送商业短信",
        "Commercial SMS without consent",
        _SMS_ORDER,
        "2015-06-30",
    ),
    ("sms_after_opt_out", "method", "退订后继续发送短信", "SMS after opting out", _SMS_ORDER, "2015-06-30"),
    (
        "sms_no_opt_out",
        "content",
        "商业短信未提供退订方式",
        "Commercial SMS without a way to opt out",
        _SMS_ORDER,
        "2015-06-30",
    ),
)


def _load_offence_types() -> None:
    rows = [
        {
            "code": code,
            "family": family,
            "name_zh": zh,
            "name_en": en,
            "legal_basis": basis,
            "valid_from": dt.date.fromisoformat(first),
        }
        for code, family, zh, en, basis, first in OFFENCE_TYPES
    ]
    _insert_missing("offence_type", ["code", "valid_from"], rows, {"valid_from": sa.Date()})


# How finance books amounts (contracts); finance edits the rows, we never compute tax (domain 2.3)

_VAT_LAW = "2026-01-01"
ACCOUNTING_LABELS = (
    ("damages", "we_buy", "6301.01", "违约金收入（我方为购买方，不开增值税发票）", "2009-01-01", None),
    ("damages", "we_sell", "6301.01", "价外费用（我方为销售方，计征增值税）", "2009-01-01", _VAT_LAW),
    ("damages", "we_sell", "6301.01", "销售额口径按2026年增值税法，待税务确认", _VAT_LAW, None),
    ("assessment", "internal", "9001.02", "内部考核（不涉税）", "2009-01-01", None),
    ("compensation", "internal", "6711.01", "话费赔偿支出", "2009-01-01", None),
    ("reward", "internal", "6711.03", "话费奖励支出（个人偶然所得，待税务确认）", "2009-01-01", None),
)


def _load_accounting_labels() -> None:
    rows = [
        {
            "nature": nature,
            "direction": direction,
            "gl_account_code": account,
            "tax_label": label,
            "valid_from": dt.date.fromisoformat(first),
            "valid_to": dt.date.fromisoformat(end) if end else None,
        }
        for nature, direction, account, label, first, end in ACCOUNTING_LABELS
    ]
    days = {"valid_from": sa.Date(), "valid_to": sa.Date()}
    _insert_missing("accounting_label", ["nature", "direction", "valid_from"], rows, days)


# Replies: what the desk answers


def _load_resolution_codes() -> None:
    """Load how a ticket can end; what sends the caller elsewhere does not count as solved (domain D11, A17)."""
    rows = [
        {"code": code, "name_zh": name_zh, "name_en": name_en, "counts_as_solved": solved, "retired_on": None}
        for code, name_zh, name_en, solved in (
            ("redressed", "已处理并赔偿", "Dealt with and compensated", True),
            ("stopped", "已停止外呼并登记免打扰", "Calls stopped, refusal registered", True),
            ("sanctioned", "已对责任方扣罚", "Responsible party charged", True),
            ("apologised", "已致歉并说明", "Apologised and explained", True),
            ("not_confirmed", "核查未属实", "Not confirmed by verification", True),
            ("other_body", "已转有权单位处理", "Handed to the competent body", True),
            ("self_protection", "已指导自助拦截", "Told how to block calls", False),
            ("deflected_app", "引导使用第三方软件", "Pointed to an app", False),
            ("no_contact", "多次联系用户未果", "Complainant could not be reached", False),
        )
    ]
    _insert_missing("resolution_code", ["code"], rows, {"counts_as_solved": sa.Boolean(), "retired_on": sa.Date()})


def _load_reply_templates() -> None:
    """Load the texts a reply starts from; no text asks for codes, documents or a pledge (domain C12, P9)."""
    rows = [
        {"code": code, "title": title, "body": body, "retired_on": None}
        for code, title, body in (
            (
                "acknowledge",
                "受理告知",
                "您好，您于{received_on}通过{channel}反映的问题已受理，编号{reference}。我们将核查来电记录并在时限内答复。"
                "核查期间请勿向任何来电者提供验证码。",
            ),
            (
                "attributed",
                "核查属实答复",
                "您好，您反映的营销来电（编号{reference}）经核查属实，已对责任方按合同处理，并为您登记营销免打扰。"
                "由此给您带来的打扰，我们深表歉意。相关赔偿将以话费形式入账。",
            ),
            (
                "not_confirmed",
                "核查未属实答复",
                "您好，您反映的来电（编号{reference}）经核查未发现由我公司或合作方拨出的记录。已为您登记营销免打扰，"
                "如再次接到，请告知来电时间和号码，我们将继续核查。",
            ),
            (
                "other_network",
                "非本网号码答复",
                "您好，您反映的来电（编号{reference}）由其他运营商号码拨出，我们已按规定转送相关单位处理，并将跟进结果。",
            ),
        )
    ]
    _insert_missing("reply_template", ["code"], rows, {"retired_on": sa.Date()})


def _load_official_numbers() -> None:
    """The three carriers, their unified outbound numbers (announced 2025-08-01) and their service hotlines."""
    carriers = {"CT": "中国电信", "CM": "中国移动", "CU": "中国联通"}
    _insert_missing("carrier", ("code",), [{"code": code, "name": name} for code, name in carriers.items()])
    announced = (
        "中国电信、中国移动、中国联通2025年8月1日公告：统一外呼营销号码，未授权任何单位和个人通过其他号码开展外呼营销"
    )
    served = "《电信服务规范》（信息产业部令第36号，2005年4月20日起施行）：统一客户服务电话"
    declared = [
        ("CT", "10001", "outbound", announced, dt.date(2025, 8, 1)),
        ("CM", "10085", "outbound", announced, dt.date(2025, 8, 1)),
        ("CU", "10016", "outbound", announced, dt.date(2025, 8, 1)),
        ("CT", "10000", "hotline", served, dt.date(2005, 4, 20)),
        ("CM", "10086", "hotline", served, dt.date(2005, 4, 20)),
        ("CU", "10010", "hotline", served, dt.date(2005, 4, 20)),
    ]
    columns = ("carrier_code", "digits", "use", "legal_basis", "valid_from")
    rows = [dict(zip(columns, row, strict=True)) for row in declared]
    _insert_missing("official_number", ("carrier_code", "digits", "use"), rows, {"valid_from": sa.Date()})


# Import profiles of the channels (complaints)

#: Beside the revisions: headings of eight channels, the preferred one first (domain 4.1).
PROFILES_FILE = Path(__file__).parent.parent / "rows" / "import_profiles.json"


def _load_import_profiles() -> None:
    profiles = json.loads(PROFILES_FILE.read_text(encoding="utf-8"))
    rows = [{**profile, "version": 1, "numbering_plan": "china", "created_at": _now()} for profile in profiles]
    types = {"version": sa.Integer(), "mapping": sa.JSON(), "created_at": sa.DateTime(timezone=True)}
    _insert_missing("import_profile", ["code", "version"], rows, types)
