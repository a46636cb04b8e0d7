"""Create the dated registers that watching stands on: capabilities, sales channels, the plan catalogue, thresholds.

Rows of one key never overlap: exclusion constraints on PostgreSQL, triggers on SQLite. Files of the first three are
admitted, and the thresholds get the rows that they begin with.
Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt
from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
CAPABILITY = ("outbound_call", "sms", "sell_plan")
SALESCHANNELKIND = ("hall", "agent_outlet", "outbound", "online", "door_to_door")
WATCHKIND = (
    "call_hours",
    "calls_per_subscriber",
    "dials_per_staff",
    "calls_per_number",
    "sms_per_subscriber",
    "sms_per_port",
    "recording_coverage",
    "qc_coverage",
    "order_trace",
    "match_tolerance",
    "clock_drift",
    "number_rotation",
    "number_pattern",
)
TABLES = ("watch_threshold", "plan_channel", "plan", "sales_channel", "party_capability")

KINDS_BEFORE = (
    "complaints",
    "numbers",
    "staff",
    "parties",
    "org_units",
    "subscribers",
    "billing_returns",
    "permissions",
    "relations",
    "official_numbers",
    "contracts",
)
KINDS_ADDED = ("capabilities", "sales_channels", "plans")
CHECK = "ck_import_batch_importkind"


class DatedKey(NamedTuple):
    """A table in which two rows of the same key may not share a day; a NULL id is a value like any other."""

    table: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    first: str = "valid_from"
    end: str = "valid_to"


DATED_KEYS = (
    DatedKey("party_capability", ("party_id", "area_unit_id"), ("capability",)),
    DatedKey("sales_channel", (), ("channel_code",)),
    DatedKey("plan", (), ("code",), "published_from", "published_to"),
    DatedKey("watch_threshold", (), ("kind",)),
)

_INTERNAL = "内部默认值,待法务确认"
_UNIFIED = "三家基础电信企业统一外呼号码规则（2025年8月1日起施行）"
_EVER, _RULES = dt.date(2020, 1, 1), dt.date(2025, 8, 1)
#: kind, value, within days, from minute, to minute, legal note, from.
THRESHOLDS = (
    (
        "call_hours",
        None,
        None,
        9 * 60,
        21 * 60,
        "业内通行口径：9时至21时,待法务确认；工信部信管〔2020〕81号要求避开休息时间",
        _EVER,
    ),
    ("calls_per_subscriber", 3, None, None, None, "业内通行口径：同一号码每日至多3次,待法务确认", _EVER),
    (
        "dials_per_staff",
        40,
        None,
        None,
        None,
        "参照媒体报道“每天二百多个、打够六小时”（约每小时34次）,内部默认值,待法务确认",
        _EVER,
    ),
    ("calls_per_number", 60, None, None, None, _INTERNAL, _EVER),
    ("sms_per_subscriber", 5, None, None, None, _INTERNAL, _EVER),
    ("sms_per_port", 100_000, None, None, None, f"106端口发送量控制,{_INTERNAL}", _EVER),
    ("recording_coverage", 100, None, None, None, f"{_UNIFIED}：通话全程录音", _RULES),
    ("qc_coverage", 100, None, None, None, f"{_UNIFIED}：全量复查、全流程质检", _RULES),
    ("order_trace", 30, None, None, None, "公司内部要求：核查通话后30日内订单", _EVER),
    ("match_tolerance", 120, None, None, None, _INTERNAL, _EVER),
    ("clock_drift", 300, None, None, None, _INTERNAL, _EVER),
    ("number_rotation", 3, 30, None, None, _INTERNAL, _EVER),
    ("number_pattern", 3, 90, None, None, f"仅计已认定事件,{_INTERNAL}", _EVER),
)


def upgrade() -> None:
    """Create the tables, refuse overlaps by dialect, admit the files, load the thresholds."""
    _create_party_capability()
    _create_sales_channel()
    _create_plan()
    _create_watch_threshold()
    for key in DATED_KEYS:
        if op.get_bind().dialect.name == "postgresql":
            _exclude_overlaps(key)
        else:
            _trigger_on_overlaps(key)
    _replace_check(KINDS_BEFORE, KINDS_BEFORE + KINDS_ADDED)
    _load_thresholds()


def downgrade() -> None:
    """Drop everything; refused while an import of these kinds is kept, which the narrow CHECK would forbid."""
    listed = ", ".join(f"'{kind}'" for kind in KINDS_ADDED)
    kept = op.get_bind().scalar(sa.text(f"SELECT count(*) FROM import_batch WHERE kind IN ({listed})"))
    if kept:
        raise RuntimeError(f"{kept} imports of {listed} are kept: the older schema has no place for them")
    _replace_check(KINDS_BEFORE + KINDS_ADDED, KINDS_BEFORE)
    for table in TABLES:
        op.drop_table(table)


def _exclude_overlaps(key: DatedKey) -> None:
    # Ids begin at 1, so that 0 stands for none.
    equal = [f"int8range(coalesce({column}, 0), coalesce({column}, 0), '[]') WITH &&" for column in key.ids]
    equal += [f"text_range({column}::text, {column}::text, '[]') WITH &&" for column in key.texts]
    op.execute(
        f"ALTER TABLE {key.table} ADD CONSTRAINT ex_{key.table}_overlap EXCLUDE USING gist "
        f"({', '.join(equal)}, daterange({key.first}, {key.end}) WITH &&)"
    )


def _trigger_on_overlaps(key: DatedKey) -> None:
    same = " AND ".join(f"other.{column} IS NEW.{column}" for column in (*key.ids, *key.texts))
    overlap = (
        f"EXISTS (SELECT 1 FROM {key.table} other WHERE {same} "
        f"AND (NEW.{key.end} IS NULL OR other.{key.first} < NEW.{key.end}) "
        f"AND (other.{key.end} IS NULL OR other.{key.end} > NEW.{key.first})"
    )
    message = f"{key.table} overlaps another period of the same key"
    op.execute(
        f"CREATE TRIGGER {key.table}_no_overlap_insert BEFORE INSERT ON {key.table} "
        f"WHEN {overlap}) BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
    op.execute(
        f"CREATE TRIGGER {key.table}_no_overlap_update BEFORE UPDATE ON {key.table} "
        f"WHEN {overlap} AND other.id <> OLD.id) BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def _one_of(column: str, values: tuple[str, ...]) -> str:
    listed = ", ".join(f"'{value}'" for value in values)
    return f"{column} IN ({listed})"


def _period_order(table: str, first: str = "valid_from", end: str = "valid_to") -> sa.CheckConstraint:
    return sa.CheckConstraint(f"{end} IS NULL OR {end} > {first}", name=op.f(f"ck_{table}_period_order"))


def _create_party_capability() -> None:
    op.create_table(
        "party_capability",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("capability", sa.String(40), nullable=False),
        sa.Column("area_unit_id", KEY, nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("version", KEY, nullable=False),
        _period_order("party_capability"),
        sa.CheckConstraint(_one_of("capability", CAPABILITY), name=op.f("ck_party_capability_capability")),
        sa.ForeignKeyConstraint(["area_unit_id"], ["org_unit.id"], name=op.f("fk_party_capability_area_unit_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_party_capability_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_capability")),
    )
    op.create_index(op.f("ix_party_capability_area_unit_id"), "party_capability", ["area_unit_id"])
    op.create_index(
        op.f("ix_party_capability_party_id_capability_valid_from"),
        "party_capability",
        ["party_id", "capability", "valid_from"],
    )


def _create_sales_channel() -> None:
    op.create_table(
        "sales_channel",
        sa.Column("id", KEY, nullable=False),
        sa.Column("channel_code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        _period_order("sales_channel"),
        sa.CheckConstraint(_one_of("kind", SALESCHANNELKIND), name=op.f("ck_sales_channel_saleschannelkind")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_sales_channel_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sales_channel")),
    )
    op.create_index(op.f("ix_sales_channel_channel_code_valid_from"), "sales_channel", ["channel_code", "valid_from"])
    op.create_index(op.f("ix_sales_channel_party_id"), "sales_channel", ["party_id"])


def _create_plan() -> None:
    op.create_table(
        "plan",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("monthly_price_fen", KEY, nullable=False),
        sa.Column("published_from", sa.Date(), nullable=False),
        sa.Column("published_to", sa.Date(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        _period_order("plan", "published_from", "published_to"),
        sa.CheckConstraint("monthly_price_fen >= 0", name=op.f("ck_plan_price_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
    )
    op.create_index(op.f("ix_plan_code_published_from"), "plan", ["code", "published_from"])
    op.create_table(
        "plan_channel",
        sa.Column("id", KEY, nullable=False),
        sa.Column("plan_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=True),
        sa.Column("channel_code", sa.Text(), nullable=True),
        sa.CheckConstraint("(kind IS NULL) <> (channel_code IS NULL)", name=op.f("ck_plan_channel_kind_or_code")),
        sa.CheckConstraint(_one_of("kind", SALESCHANNELKIND), name=op.f("ck_plan_channel_saleschannelkind")),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_channel_plan_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_channel")),
        sa.UniqueConstraint("plan_id", "kind", name=op.f("uq_plan_channel_plan_id_kind")),
        sa.UniqueConstraint("plan_id", "channel_code", name=op.f("uq_plan_channel_plan_id_channel_code")),
    )


def _create_watch_threshold() -> None:
    rules = {
        "value_positive": "value > 0",
        "within_days_positive": "within_days > 0",
        "value_unless_hours": "(kind = 'call_hours') = (value IS NULL)",
        "hours_have_start": "(kind = 'call_hours') = (from_minute IS NOT NULL)",
        "hours_have_end": "(kind = 'call_hours') = (to_minute IS NOT NULL)",
        "counted_within_days": "(kind IN ('number_rotation', 'number_pattern')) = (within_days IS NOT NULL)",
        "hours_of_one_day": "from_minute >= 0 AND from_minute < to_minute AND to_minute <= 1440",
        "coverage_in_per_cent": "kind NOT IN ('recording_coverage', 'qc_coverage') OR value <= 100",
        "watchkind": _one_of("kind", WATCHKIND),
    }
    op.create_table(
        "watch_threshold",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("value", KEY, nullable=True),
        sa.Column("within_days", KEY, nullable=True),
        sa.Column("from_minute", KEY, nullable=True),
        sa.Column("to_minute", KEY, nullable=True),
        sa.Column("legal_note", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        _period_order("watch_threshold"),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_watch_threshold_{name}")) for name, rule in rules.items()),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watch_threshold")),
    )
    op.create_index(op.f("ix_watch_threshold_kind_valid_from"), "watch_threshold", ["kind", "valid_from"])


def _load_thresholds() -> None:
    names = ("kind", "value", "within_days", "from_minute", "to_minute", "legal_note", "valid_from")
    types = dict.fromkeys(names[1:5], sa.Integer()) | {"valid_from": sa.Date()}
    table = sa.table("watch_threshold", *(sa.column(name, types.get(name, sa.Text())) for name in names))
    op.bulk_insert(table, [dict(zip(names, row, strict=True)) for row in THRESHOLDS])


def _replace_check(before: tuple[str, ...], after: tuple[str, ...]) -> None:
    if op.get_bind().dialect.name == "postgresql":
        rule = _one_of("kind", after)
        op.execute(f"ALTER TABLE import_batch DROP CONSTRAINT {CHECK}, ADD CONSTRAINT {CHECK} CHECK ({rule})")
    else:
        _replace_check_on_sqlite(_one_of("kind", before), _one_of("kind", after))


def _replace_check_on_sqlite(before: str, after: str) -> None:
    """Change the stored text of the table, as SQLite's manual does where no row changes (lang_altertable, 7).

    The other way builds the table anew, which rows that refer to it forbid inside a transaction.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_master SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = 'import_batch' AND instr(sql, ?) > 0",
        (before, after, before),
    ).rowcount
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
    if changed != 1:
        raise RuntimeError(f"the table import_batch does not say: {before}")
