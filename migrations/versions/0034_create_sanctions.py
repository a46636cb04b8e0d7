"""Create points, the ladder and its sanctions, and monthly scorecards, with the rows that they begin with.

What was entered, decided or frozen is not rewritten: triggers. Dated figures of one kind never overlap: an exclusion
constraint on PostgreSQL, triggers on SQLite.
Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
SANCTIONKIND = (
    "warning",
    "downgrade",
    "outbound_suspension",
    "number_shutdown",
    "entry_restriction",
    "settlement_stop",
    "termination",
    "bar",
)
SANCTIONSTATE = ("proposed", "approved", "rejected", "extended", "lifted")
SANCTIONTRIGGER = ("points_left", "consecutive_warnings", "cumulative_warnings", "late_top_up")
POINTSREASON = ("taken", "returned")
CARDSTANDING = ("good", "watch", "poor", "critical", "not_rated")
#: In the order in which they can be dropped.
TABLES = ("scorecard", "score_scheme", "points_entry", "points_start", "sanction", "sanction_rule")
#: Of which one row holds at a time.
DATED = ("points_start", "score_scheme")
#: What is never rewritten, and which columns of it; no column: none of them.
FROZEN = {
    "points_entry": ("id", "party_id", "penalty_id", "reason", "points", "on_day", "expires_on", "made_at"),
    "scorecard": ("id", "party_id", "month", "figures", "score", "standing", "scheme_id", "frozen_at"),
    "sanction": (
        "id",
        "party_id",
        "number_id",
        "kind",
        "rule_id",
        "cause",
        "facts",
        "reason",
        "proposed_by",
        "proposed_at",
        "extends_id",
    ),
}

_EVER = dt.date(2020, 1, 1)
_DEFAULT = "内部默认值，待法务与合同条款确认"
_POINTS = f"参照2010年某运营商SP信用积分管理（100分起，扣分分档处理），{_DEFAULT}"
_WARNINGS = f"参照渠道管理口径：警告、降级、暂停合作、强制退出，{_DEFAULT}"
#: trigger, points left, warnings, within months, kind, months (None: until lifted), legal note.
LADDER = (
    ("points_left", 80, None, None, "outbound_suspension", 3, _POINTS),
    ("points_left", 50, None, None, "outbound_suspension", 3, _POINTS),
    ("points_left", 50, None, None, "entry_restriction", 3, _POINTS),
    ("points_left", 0, None, None, "outbound_suspension", None, _POINTS),
    ("points_left", 0, None, None, "entry_restriction", None, _POINTS),
    ("points_left", 0, None, None, "settlement_stop", None, _POINTS),
    ("consecutive_warnings", None, 3, None, "downgrade", 6, _WARNINGS),
    ("cumulative_warnings", None, 5, 12, "outbound_suspension", 3, _WARNINGS),
    ("late_top_up", None, None, None, "entry_restriction", None, f"合作协议：保证金限期补足，{_DEFAULT}"),
)
#: Weight, and the value that scores nothing: per 10,000 answered calls, per 1,000 orders, the rest in per cent.
CRITERIA = {
    "offences_per_calls": [30, 20],
    "offences_per_orders": [20, 20],
    "after_refusal": [20, 50],
    "objections_lost": [10, 100],
    "late_answers": [10, 50],
    "repeat_subscribers": [10, 30],
}
OFFENCE = {
    "code": "call_while_suspended",
    "family": "process",
    "name_zh": "停权期间外呼",
    "name_en": "Outbound calls during a suspension",
    "legal_basis": "合作协议：暂停外呼权限期间不得外呼；《民法典》第五百零九条（全面履行），待法务确认",
    "valid_from": dt.date(2021, 1, 1),
}


def upgrade() -> None:
    """Create the tables, guard them, load the rows."""
    _create_sanctions()
    _create_points()
    _create_scorecards()
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in DATED:
        (_exclude_overlaps if on_postgresql else _trigger_on_overlaps)(table)
    for table, columns in FROZEN.items():
        (_freeze_on_postgresql if on_postgresql else _freeze_on_sqlite)(table, columns)
    _load_figures()
    _load_offence_type()


def downgrade() -> None:
    """Drop everything but the offence type: what refers to it would be torn. Refused once somebody was sanctioned."""
    kept = op.get_bind().scalar(sa.text("SELECT count(*) FROM sanction WHERE state <> 'proposed'"))
    if kept:
        raise RuntimeError(f"{kept} sanctions were decided: the older schema has no place for them")
    on_postgresql = op.get_bind().dialect.name == "postgresql"
    for table in TABLES:
        op.drop_table(table)
        if on_postgresql and table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def _one_of(table: str, column: str, name: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return _check(table, name, f"{column} IN ({listed})")


def _period_order(table: str) -> sa.CheckConstraint:
    return _check(table, "period_order", "valid_to IS NULL OR valid_to > valid_from")


def _refers(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}"))


def _primary_key(table: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _create_sanctions() -> None:
    _create_sanction_rule()
    rules = {
        "period_order": "until_on IS NULL OR until_on > from_on",
        "shutdown_names_number": "(kind = 'number_shutdown') = (number_id IS NOT NULL)",
        "against_somebody": "party_id IS NOT NULL OR number_id IS NOT NULL",
        "rule_has_cause": "(rule_id IS NULL) = (cause IS NULL)",
        "rule_or_person": "rule_id IS NOT NULL OR proposed_by IS NOT NULL",
        "has_reason": "reason <> ''",
        "decided_by_set": "(state = 'proposed') = (decided_by IS NULL)",
        "decided_at_set": "(decided_by IS NULL) = (decided_at IS NULL)",
        "two_people": "decided_by <> proposed_by",
        "lifted_on_set": "(state = 'lifted') = (lifted_on IS NOT NULL)",
        "lifted_by_set": "(lifted_on IS NULL) = (lifted_by IS NULL)",
        "lifted_with_reason": "(lifted_on IS NULL) = (lift_reason IS NULL)",
        "lifted_by_another": "lifted_by <> proposed_by",
    }
    op.create_table(
        "sanction",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("number_id", KEY, nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("rule_id", KEY, nullable=True),
        sa.Column("cause", sa.Text(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("proposed_by", KEY, nullable=True),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("lifted_on", sa.Date(), nullable=True),
        sa.Column("lifted_by", KEY, nullable=True),
        sa.Column("lift_reason", sa.Text(), nullable=True),
        sa.Column("extends_id", KEY, nullable=True),
        sa.Column("version", KEY, nullable=False),
        *(_check("sanction", name, rule) for name, rule in rules.items()),
        _one_of("sanction", "kind", "sanctionkind", SANCTIONKIND),
        _one_of("sanction", "state", "sanctionstate", SANCTIONSTATE),
        _refers("sanction", "party_id", "party"),
        _refers("sanction", "number_id", "phone_number"),
        _refers("sanction", "rule_id", "sanction_rule"),
        _refers("sanction", "extends_id", "sanction"),
        _primary_key("sanction"),
        sa.UniqueConstraint("party_id", "rule_id", "cause", name=op.f("uq_sanction_party_id_rule_id_cause")),
    )
    for columns in (("rule_id",), ("extends_id",), ("state", "id"), ("party_id", "from_on"), ("number_id", "from_on")):
        _index("sanction", *columns)
    _one_waiting("uq_sanction_waiting_party", ["party_id", "kind"], "state = 'proposed' AND number_id IS NULL")
    _one_waiting("uq_sanction_waiting_number", ["number_id"], "state = 'proposed'")


def _one_waiting(name: str, columns: list[str], rule: str) -> None:
    where = sa.text(rule)
    op.create_index(op.f(name), "sanction", columns, unique=True, sqlite_where=where, postgresql_where=where)


def _create_sanction_rule() -> None:
    rules = {
        "points_of_points": "(trigger_kind = 'points_left') = (points_left IS NOT NULL)",
        "points_not_negative": "points_left >= 0",
        "warnings_counted": (
            "(trigger_kind IN ('consecutive_warnings', 'cumulative_warnings')) = (warnings IS NOT NULL)"
        ),
        "warnings_positive": "warnings > 0",
        "cumulative_within_months": "(trigger_kind = 'cumulative_warnings') = (within_months IS NOT NULL)",
        "within_months_positive": "within_months > 0",
        "months_positive": "months > 0",
        "about_parties": "kind <> 'number_shutdown'",
    }
    op.create_table(
        "sanction_rule",
        sa.Column("id", KEY, nullable=False),
        sa.Column("trigger_kind", sa.String(40), nullable=False),
        sa.Column("points_left", KEY, nullable=True),
        sa.Column("warnings", KEY, nullable=True),
        sa.Column("within_months", KEY, nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("months", KEY, nullable=True),
        sa.Column("legal_note", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        _period_order("sanction_rule"),
        *(_check("sanction_rule", name, rule) for name, rule in rules.items()),
        _one_of("sanction_rule", "trigger_kind", "sanctiontrigger", SANCTIONTRIGGER),
        _one_of("sanction_rule", "kind", "sanctionkind", SANCTIONKIND),
        _primary_key("sanction_rule"),
    )
    _index("sanction_rule", "trigger_kind", "valid_from")


def _create_points() -> None:
    op.create_table(
        "points_start",
        sa.Column("id", KEY, nullable=False),
        sa.Column("points", KEY, nullable=False),
        sa.Column("legal_note", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        _period_order("points_start"),
        _check("points_start", "points_positive", "points > 0"),
        _primary_key("points_start"),
    )
    op.create_table(
        "points_entry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("penalty_id", KEY, nullable=False),
        sa.Column("reason", sa.String(40), nullable=False),
        sa.Column("points", KEY, nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        _check("points_entry", "taken_is_positive", "(reason = 'taken') = (points > 0)"),
        _check("points_entry", "not_nothing", "points <> 0"),
        _check("points_entry", "expires_later", "reason <> 'taken' OR expires_on > on_day"),
        _one_of("points_entry", "reason", "pointsreason", POINTSREASON),
        _refers("points_entry", "party_id", "party"),
        _refers("points_entry", "penalty_id", "penalty"),
        _primary_key("points_entry"),
        sa.UniqueConstraint("penalty_id", "reason", name=op.f("uq_points_entry_penalty_id_reason")),
    )
    _index("points_entry", "party_id", "on_day")


def _create_scorecards() -> None:
    op.create_table(
        "score_scheme",
        sa.Column("id", KEY, nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        sa.Column("good_from", KEY, nullable=False),
        sa.Column("watch_from", KEY, nullable=False),
        sa.Column("poor_from", KEY, nullable=False),
        sa.Column("legal_note", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        _period_order("score_scheme"),
        _check(
            "score_scheme",
            "bands_descend",
            "100 >= good_from AND good_from > watch_from AND watch_from > poor_from AND poor_from > 0",
        ),
        _primary_key("score_scheme"),
    )
    op.create_table(
        "scorecard",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("score", KEY, nullable=True),
        sa.Column("standing", sa.String(40), nullable=False),
        sa.Column("scheme_id", KEY, nullable=False),
        sa.Column("frozen_at", MOMENT, nullable=False),
        _check("scorecard", "score_in_range", "score BETWEEN 0 AND 100"),
        _check("scorecard", "rated_has_score", "(standing = 'not_rated') = (score IS NULL)"),
        _one_of("scorecard", "standing", "cardstanding", CARDSTANDING),
        _refers("scorecard", "party_id", "party"),
        _refers("scorecard", "scheme_id", "score_scheme"),
        _primary_key("scorecard"),
        sa.UniqueConstraint("party_id", "month", name=op.f("uq_scorecard_party_id_month")),
    )
    _index("scorecard", "month", "score")
    _index("scorecard", "scheme_id")


def _exclude_overlaps(table: str) -> None:
    op.execute(
        f"ALTER TABLE {table} ADD CONSTRAINT ex_{table}_overlap "
        "EXCLUDE USING gist (daterange(valid_from, valid_to) WITH &&)"
    )


def _trigger_on_overlaps(table: str) -> None:
    overlap = (
        f"EXISTS (SELECT 1 FROM {table} other WHERE (NEW.valid_to IS NULL OR other.valid_from < NEW.valid_to) "
        "AND (other.valid_to IS NULL OR other.valid_to > NEW.valid_from)"
    )
    message = f"{table} overlaps another period"
    op.execute(
        f"CREATE TRIGGER {table}_no_overlap_insert BEFORE INSERT ON {table} "
        f"WHEN {overlap}) BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_overlap_update BEFORE UPDATE ON {table} "
        f"WHEN {overlap} AND other.id <> OLD.id) BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def _freeze_on_postgresql(table: str, columns: tuple[str, ...]) -> None:
    # json has no equality; its text does.
    row = ", ".join(f"{{0}}.{column}::text" for column in columns)
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP = 'DELETE' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        f"RAISE EXCEPTION '{table} is not rewritten: add a new row' "
        "USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str, columns: tuple[str, ...]) -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {table}_no_edit BEFORE UPDATE ON {table} WHEN {differs} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is not rewritten: add a new row'); END"
    )


def _load_figures() -> None:
    names = ("trigger_kind", "points_left", "warnings", "within_months", "kind", "months", "legal_note")
    counted = dict.fromkeys(("points_left", "warnings", "within_months", "months"), KEY)
    ladder = sa.table(
        "sanction_rule",
        *(sa.column(name, counted.get(name, sa.Text())) for name in names),
        sa.column("valid_from", sa.Date()),
    )
    op.bulk_insert(ladder, [dict(zip(names, row, strict=True)) | {"valid_from": _EVER} for row in LADDER])
    _load_dated("points_start", {"points": 100, "legal_note": _POINTS})
    bands = {"good_from": 90, "watch_from": 75, "poor_from": 60}
    _load_dated("score_scheme", {"criteria": CRITERIA, **bands, "legal_note": _DEFAULT})


def _load_dated(table: str, row: dict[str, Any]) -> None:
    types: dict[str, Any] = {"criteria": sa.JSON(), "legal_note": sa.Text()}
    columns: list[Any] = [sa.column(name, types.get(name, KEY)) for name in row]
    op.bulk_insert(sa.table(table, *columns, sa.column("valid_from", sa.Date())), [row | {"valid_from": _EVER}])


def _load_offence_type() -> None:
    table = sa.table(
        "offence_type",
        *(sa.column(name, sa.Date() if name == "valid_from" else sa.Text()) for name in OFFENCE),
    )
    bind = op.get_bind()
    if bind.scalar(sa.select(sa.func.count()).where(table.c.code == OFFENCE["code"])) == 0:
        bind.execute(sa.insert(table), [OFFENCE])
