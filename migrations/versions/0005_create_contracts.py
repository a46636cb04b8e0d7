"""Create contracts, rule versions and accounting labels; no price overlaps another, none in force is ever edited.

Overlaps are refused by exclusion constraints on PostgreSQL (``text_range`` is of migration 0004) and by triggers
on SQLite; edits of what is in force by triggers on both.
Written out here: a migration never imports the application, which will have changed.
"""

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
TABLES = ("accounting_label", "rule_version", "contract")


class DatedKey(NamedTuple):
    """A table in which two rows of the same key may not share a day, where *condition* holds for both."""

    table: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    first: str
    end: str
    condition: str


#: ``{row}`` stands for the row: nothing on PostgreSQL, ``NEW.`` or ``other.`` on SQLite.
DATED_KEYS = (
    # A policy has no party; its unit, negated, takes the place.
    DatedKey(
        "contract",
        ("coalesce({row}party_id, -{row}counterparty_unit_id)",),
        ("{row}scope",),
        "starts_on",
        "ends_on",
        "{row}state <> 'draft'",
    ),
    DatedKey(
        "rule_version",
        ("{row}contract_id", "{row}priority"),
        ("coalesce({row}offence_code, '')",),
        "valid_from",
        "valid_to",
        "{row}state <> 'draft'",
    ),
    DatedKey("accounting_label", (), ("{row}nature", "{row}direction"), "valid_from", "valid_to", "{row}id > 0"),
)
#: What a row says once it is in force; its end, its state and marks of use stay open.
FROZEN = {
    "contract": (
        "number",
        "party_id",
        "counterparty_unit_id",
        "scope",
        "direction",
        "starts_on",
        "appeal_days",
        "appeal_day_type",
        "deemed_days",
        "drafted_by",
        "activated_by",
    ),
    "rule_version": (
        "code",
        "number",
        "contract_id",
        "offence_code",
        "priority",
        "parameters",
        "content_sha256",
        "valid_from",
        "drafted_by",
        "activated_by",
        "activated_at",
    ),
}


def upgrade() -> None:
    """Create the tables, then refuse overlaps and edits by dialect."""
    _create_contract()
    _create_rule_version()
    _create_accounting_label()
    if op.get_bind().dialect.name == "postgresql":
        for key in DATED_KEYS:
            _exclude_overlaps(key)
        for table, columns in FROZEN.items():
            _freeze_on_postgresql(table, columns)
    else:
        for key in DATED_KEYS:
            _trigger_on_overlaps(key)
        for table, columns in FROZEN.items():
            _freeze_on_sqlite(table, columns)


def downgrade() -> None:
    """Drop everything; constraints and triggers go with their table, functions do not."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in FROZEN:
            op.execute(f"DROP FUNCTION {table}_refuse_edit()")


def _exclude_overlaps(key: DatedKey) -> None:
    ids = [column.format(row="") for column in key.ids]
    texts = [column.format(row="") for column in key.texts]
    equal = [f"int8range({column}, {column}, '[]') WITH &&" for column in ids]
    equal += [f"text_range(({column})::text, ({column})::text, '[]') WITH &&" for column in texts]
    op.execute(
        f"ALTER TABLE {key.table} ADD CONSTRAINT ex_{key.table}_overlap EXCLUDE USING gist "
        f"({', '.join(equal)}, daterange({key.first}, {key.end}) WITH &&) WHERE ({key.condition.format(row='')})"
    )


def _trigger_on_overlaps(key: DatedKey) -> None:
    columns = (*key.ids, *key.texts)
    same = " AND ".join(f"{column.format(row='other.')} = {column.format(row='NEW.')}" for column in columns)
    clash = (
        f"{key.condition.format(row='NEW.')} AND EXISTS (SELECT 1 FROM {key.table} other WHERE {same} "
        f"AND {key.condition.format(row='other.')} "
        f"AND (NEW.{key.end} IS NULL OR other.{key.first} < NEW.{key.end}) "
        f"AND (other.{key.end} IS NULL OR other.{key.end} > NEW.{key.first})"
    )
    message = f"{key.table} overlaps another period of the same key"
    op.execute(
        f"CREATE TRIGGER {key.table}_no_overlap_insert BEFORE INSERT ON {key.table} "
        f"WHEN {clash}) BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
    op.execute(
        f"CREATE TRIGGER {key.table}_no_overlap_update BEFORE UPDATE ON {key.table} "
        f"WHEN {clash} AND other.id <> OLD.id) BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )


def _freeze_on_postgresql(table: str, columns: tuple[str, ...]) -> None:
    # json has no equality; its text does.
    row = ", ".join(f"{{0}}.{column}::text" for column in columns)
    op.execute(
        f"CREATE FUNCTION {table}_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'DELETE' THEN "
        f"RAISE EXCEPTION '{table} in force cannot be deleted' USING ERRCODE = 'integrity_constraint_violation'; "
        f"END IF; IF NEW.state = 'draft' OR ROW({row.format('OLD')}) IS DISTINCT FROM ROW({row.format('NEW')}) THEN "
        f"RAISE EXCEPTION '{table} in force cannot be edited' USING ERRCODE = 'integrity_constraint_violation'; "
        "END IF; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_frozen BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW "
        f"WHEN (OLD.state <> 'draft') EXECUTE FUNCTION {table}_refuse_edit()"
    )


def _freeze_on_sqlite(table: str, columns: tuple[str, ...]) -> None:
    differs = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    op.execute(
        f"CREATE TRIGGER {table}_no_edit BEFORE UPDATE ON {table} "
        f"WHEN OLD.state <> 'draft' AND (NEW.state = 'draft' OR {differs}) "
        f"BEGIN SELECT RAISE(ABORT, '{table} in force cannot be edited'); END"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} WHEN OLD.state <> 'draft' "
        f"BEGIN SELECT RAISE(ABORT, '{table} in force cannot be deleted'); END"
    )


def _create_contract() -> None:
    op.create_table(
        "contract",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("party_id", KEY, nullable=True),
        sa.Column("counterparty_unit_id", KEY, nullable=False),
        sa.Column("scope", sa.String(40), nullable=False),
        sa.Column("direction", sa.String(40), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("appeal_days", KEY, nullable=False),
        sa.Column("appeal_day_type", sa.String(40), nullable=False),
        sa.Column("deemed_days", KEY, nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("drafted_by", KEY, nullable=False),
        sa.Column("activated_by", KEY, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "(direction = 'internal') = (party_id IS NULL)", name=op.f("ck_contract_policy_has_no_party")
        ),
        sa.CheckConstraint("state = 'draft' OR activated_by IS NOT NULL", name=op.f("ck_contract_activated_by_set")),
        sa.CheckConstraint("activated_by <> drafted_by", name=op.f("ck_contract_two_people")),
        sa.CheckConstraint("appeal_days > 0", name=op.f("ck_contract_appeal_days_positive")),
        sa.CheckConstraint("ends_on IS NULL OR ends_on > starts_on", name=op.f("ck_contract_period_order")),
        sa.ForeignKeyConstraint(
            ["counterparty_unit_id"], ["org_unit.id"], name=op.f("fk_contract_counterparty_unit_id")
        ),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_contract_party_id")),
        sa.CheckConstraint("scope IN ('all', 'outbound', 'sms', 'channel')", name=op.f("ck_contract_contractscope")),
        sa.CheckConstraint(
            "direction IN ('we_buy', 'we_sell', 'internal')", name=op.f("ck_contract_contractdirection")
        ),
        sa.CheckConstraint("appeal_day_type IN ('natural', 'working')", name=op.f("ck_contract_daytype")),
        sa.CheckConstraint("state IN ('draft', 'active', 'terminated')", name=op.f("ck_contract_contractstate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract")),
        sa.UniqueConstraint("number", name=op.f("uq_contract_number")),
    )
    op.create_index(op.f("ix_contract_counterparty_unit_id"), "contract", ["counterparty_unit_id"], unique=False)
    op.create_index(
        op.f("ix_contract_party_id_scope_starts_on"), "contract", ["party_id", "scope", "starts_on"], unique=False
    )


def _create_rule_version() -> None:
    op.create_table(
        "rule_version",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("number", KEY, nullable=False),
        sa.Column("contract_id", KEY, nullable=False),
        sa.Column("offence_code", sa.Text(), nullable=True),
        sa.Column("priority", KEY, nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("priced_on", sa.Date(), nullable=True),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("drafted_by", KEY, nullable=False),
        sa.Column("activated_by", KEY, nullable=True),
        sa.Column("activated_at", MOMENT, nullable=True),
        sa.CheckConstraint(
            "state = 'draft' OR activated_by IS NOT NULL", name=op.f("ck_rule_version_activated_by_set")
        ),
        sa.CheckConstraint("activated_by <> drafted_by", name=op.f("ck_rule_version_two_people")),
        sa.CheckConstraint(
            "valid_to IS NULL OR priced_on IS NULL OR valid_to > priced_on", name=op.f("ck_rule_version_not_back_dated")
        ),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_rule_version_period_order")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_rule_version_contract_id")),
        sa.CheckConstraint("state IN ('draft', 'active', 'retired')", name=op.f("ck_rule_version_rulestate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_version")),
        sa.UniqueConstraint("code", "number", name=op.f("uq_rule_version_code_number")),
    )
    op.create_index(
        op.f("ix_rule_version_contract_id_offence_code_valid_from"),
        "rule_version",
        ["contract_id", "offence_code", "valid_from"],
        unique=False,
    )


def _create_accounting_label() -> None:
    op.create_table(
        "accounting_label",
        sa.Column("id", KEY, nullable=False),
        sa.Column("nature", sa.Text(), nullable=False),
        sa.Column("direction", sa.String(40), nullable=False),
        sa.Column("gl_account_code", sa.Text(), nullable=False),
        sa.Column("tax_label", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_accounting_label_period_order")),
        sa.CheckConstraint(
            "direction IN ('we_buy', 'we_sell', 'internal')", name=op.f("ck_accounting_label_contractdirection")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounting_label")),
        sa.UniqueConstraint(
            "nature", "direction", "valid_from", name=op.f("uq_accounting_label_nature_direction_valid_from")
        ),
    )
