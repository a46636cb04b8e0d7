"""Create the double-entry ledger, closed by its own triggers, and load the chart of accounts.

Postings come first, their entry last: a trigger lets the entry in only if its postings fill all its lines,
sum to zero, stay in one account family and its period is open. Every (entry, line) is then taken, so nothing
can join later. Nothing is updated, deleted or truncated; a correction is a reversal, which a second trigger
holds to the original. Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
BYTEWISE = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TABLES = ("account", "period", "journal_entry", "posting", "seal", "seal_entry")
#: Rows are only ever added; ``period`` also closes.
APPEND_ONLY = ("account", "journal_entry", "posting", "seal", "seal_entry")
#: What a taken place is, by table: INSERT OR REPLACE must not find it.
TAKEN = {
    "account": "id = NEW.id OR code = NEW.code",
    "period": "month = NEW.month",
    "journal_entry": (
        "id = NEW.id OR idempotency_key = NEW.idempotency_key "
        "OR (reverses_id = NEW.reverses_id AND reversal_no = NEW.reversal_no)"
    ),
    "posting": "entry_id = NEW.entry_id AND line = NEW.line",
    "seal": "id = NEW.id OR previous_mac = NEW.previous_mac OR mac = NEW.mac",
    "seal_entry": "entry_id = NEW.entry_id",
}
#: domain.md section 8: id, code, family, type, dimension.
CHART = (
    (1, "1002", "external", "asset", "none"),
    (2, "1012.09", "external", "clearing", "batch"),
    (3, "1122.09", "external", "clearing", "none"),
    (4, "1221.01", "external", "asset", "party"),
    (5, "1221.02", "external", "asset", "party"),
    (6, "1221.03", "external", "asset", "party"),
    (7, "2202.09", "external", "clearing", "party"),
    (8, "2241.01", "external", "liability", "subscriber"),
    (9, "2241.02", "external", "liability", "party"),
    (10, "2241.03", "external", "liability", "party"),
    (11, "2241.04", "external", "liability", "party"),
    (12, "6301.01", "external", "income", "party"),
    (13, "6711.01", "external", "expense", "unit"),
    (14, "6711.02", "external", "contra_expense", "party"),
    (15, "6711.03", "external", "expense", "unit"),
    (16, "6711.09", "external", "expense", "party"),
    (17, "9001.01", "internal", "asset", "unit"),
    (18, "9001.02", "internal", "asset", "unit"),
    (19, "9002.01", "internal", "offset", "unit"),
    (20, "9002.02", "internal", "offset", "unit"),
)
#: What an entry is refused for; both engines say the same.
REFUSALS = {
    "append_only": "the ledger is append-only: post a reversing entry",
    "taken": "the ledger is append-only: this place is taken",
    "values": "a column of the journal entry holds the wrong kind of value",
    "period": "the period is not open",
    "early": "an entry is not booked in a month before it took effect",
    "lines": "the postings do not fill the lines of the entry",
    "sum": "the postings do not sum to zero",
    "family": "an entry never mixes external and internal accounts",
    "dimension": "a posting has no dimension that its account needs, or one that it does not take",
    "reversed": "only an entry that is there and is no reversal can be reversed",
    "number": "a reversal is numbered one above those that exist",
    "total": "a reversal takes back what the original posted, with the opposite sign, and no more",
    "closing": "a period closes once and is otherwise never changed",
    "born": "a period is born open",
    "chain": "a seal follows the newest seal",
}


def upgrade() -> None:
    """Create the tables, load the chart, then close them."""
    _create_account_and_period()
    _create_journal_entry()
    _create_posting()
    _create_seals()
    account = sa.table("account", *(sa.column(name) for name in ("id", "code", "family", "type", "dimension_kind")))
    op.bulk_insert(account, [dict(zip(account.c.keys(), row, strict=True)) for row in CHART])
    if op.get_bind().dialect.name == "postgresql":
        _close_on_postgresql()
    else:
        _close_on_sqlite()


def downgrade() -> None:
    """Drop everything; triggers go with their table, functions do not."""
    for table in reversed(TABLES):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for function in (
            "ledger_refuse_change",
            "period_guard",
            "journal_entry_close",
            "journal_entry_reversal",
            "seal_chain",
        ):
            op.execute(f"DROP FUNCTION {function}()")


def _create_account_and_period() -> None:
    op.create_table(
        "account",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("family", sa.String(40), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("dimension_kind", sa.String(40), nullable=False),
        sa.CheckConstraint("family IN ('external', 'internal')", name=op.f("ck_account_accountfamily")),
        sa.CheckConstraint(
            "type IN ('asset', 'liability', 'clearing', 'income', 'expense', 'contra_expense', 'offset')",
            name=op.f("ck_account_accounttype"),
        ),
        sa.CheckConstraint(
            "dimension_kind IN ('none', 'party', 'subscriber', 'unit', 'batch')",
            name=op.f("ck_account_dimensionkind"),
        ),
        sa.PrimaryKeyConstraint("id", name="pk_account"),
        sa.UniqueConstraint("code", name="uq_account_code"),
    )
    op.create_table(
        "period",
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("opened_by", KEY, nullable=True),
        sa.Column("closed_at", MOMENT, nullable=True),
        sa.Column("closed_by", KEY, nullable=True),
        sa.CheckConstraint("month LIKE '____-__'", name=op.f("ck_period_month_format")),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_period_closed_at_set")),
        sa.CheckConstraint("closed_by IS NULL OR closed_at IS NOT NULL", name=op.f("ck_period_closed_by_with_moment")),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_period_periodstate")),
        sa.PrimaryKeyConstraint("month", name="pk_period"),
    )


def _create_journal_entry() -> None:
    op.create_table(
        "journal_entry",
        sa.Column("id", KEY, nullable=False),
        sa.Column("lines", KEY, nullable=False),
        sa.Column("idempotency_key", BYTEWISE, nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("effective_on", sa.Date(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("actor_id", KEY, nullable=True),
        sa.Column("approver_id", KEY, nullable=True),
        sa.Column("reverses_id", KEY, nullable=True),
        sa.Column("reversal_no", KEY, nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("id > 0", name=op.f("ck_journal_entry_id_positive")),
        sa.CheckConstraint("lines >= 2", name=op.f("ck_journal_entry_two_lines")),
        sa.CheckConstraint("idempotency_key <> ''", name=op.f("ck_journal_entry_has_key")),
        sa.CheckConstraint("length(content_sha256) = 64", name=op.f("ck_journal_entry_content_is_sha256")),
        sa.CheckConstraint("event <> ''", name=op.f("ck_journal_entry_has_event")),
        sa.CheckConstraint("approver_id <> actor_id", name=op.f("ck_journal_entry_two_people")),
        sa.CheckConstraint(
            "(reverses_id IS NULL) = (reversal_no IS NULL)", name=op.f("ck_journal_entry_reversal_numbered")
        ),
        sa.CheckConstraint("reversal_no >= 1", name=op.f("ck_journal_entry_reversal_no_positive")),
        sa.CheckConstraint(
            "reverses_id IS NULL OR coalesce(reason, '') <> ''", name=op.f("ck_journal_entry_reversal_has_reason")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_journal_entry"),
        sa.UniqueConstraint("id", "lines", name="uq_journal_entry_id_lines"),
        sa.UniqueConstraint("idempotency_key", name="uq_journal_entry_idempotency_key"),
        sa.UniqueConstraint("reverses_id", "reversal_no", name="uq_journal_entry_reverses_id_reversal_no"),
        sa.ForeignKeyConstraint(["period"], ["period.month"], name="fk_journal_entry_period"),
        sa.ForeignKeyConstraint(["reverses_id"], ["journal_entry.id"], name="fk_journal_entry_reverses_id"),
    )
    op.create_index("ix_journal_entry_period", "journal_entry", ["period"])


def _create_posting() -> None:
    op.create_table(
        "posting",
        sa.Column("entry_id", KEY, autoincrement=False, nullable=False),
        sa.Column("line", KEY, autoincrement=False, nullable=False),
        sa.Column("lines", KEY, nullable=False),
        sa.Column("account_id", KEY, nullable=False),
        sa.Column("dimension_id", KEY, nullable=True),
        sa.Column("amount_fen", KEY, nullable=False),
        sa.CheckConstraint("line BETWEEN 1 AND lines", name=op.f("ck_posting_line_in_entry")),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_posting_amount_not_zero")),
        sa.CheckConstraint("amount_fen BETWEEN -10000000000 AND 10000000000", name=op.f("ck_posting_amount_bounded")),
        sa.PrimaryKeyConstraint("entry_id", "line", name="pk_posting"),
        sa.ForeignKeyConstraint(
            ["entry_id", "lines"],
            ["journal_entry.id", "journal_entry.lines"],
            name="fk_posting_entry_id_lines",
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name="fk_posting_account_id"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_posting_account_id_dimension_id_entry_id", "posting", ["account_id", "dimension_id", "entry_id"]
    )


def _create_seals() -> None:
    op.create_table(
        "seal",
        sa.Column("id", KEY, autoincrement=False, nullable=False),
        sa.Column("previous_mac", sa.Text(), nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("mac", sa.Text(), nullable=False),
        sa.CheckConstraint("id > 0", name=op.f("ck_seal_id_positive")),
        sa.PrimaryKeyConstraint("id", name="pk_seal"),
        sa.UniqueConstraint("previous_mac", name="uq_seal_previous_mac"),
        sa.UniqueConstraint("mac", name="uq_seal_mac"),
    )
    op.create_table(
        "seal_entry",
        sa.Column("entry_id", KEY, autoincrement=False, nullable=False),
        sa.Column("seal_id", KEY, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_seal_entry"),
        sa.ForeignKeyConstraint(["entry_id"], ["journal_entry.id"], name="fk_seal_entry_entry_id"),
        sa.ForeignKeyConstraint(["seal_id"], ["seal.id"], name="fk_seal_entry_seal_id"),
        sqlite_strict=True,
    )
    op.create_index("ix_seal_entry_seal_id", "seal_entry", ["seal_id"])


# PostgreSQL


def _close_on_postgresql() -> None:
    # Tables are named with their schema: a temporary table of the same name would else be read instead.
    schema = op.get_bind().execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    _function("ledger_refuse_change", _refuse("append_only"))
    _function("period_guard", PG_PERIOD_GUARD)
    _function("journal_entry_close", PG_CLOSE.format(schema=schema), PG_CLOSE_VARIABLES)
    _function("journal_entry_reversal", PG_REVERSAL.format(schema=schema))
    _function("seal_chain", PG_SEAL_CHAIN.format(schema=schema))
    for table in APPEND_ONLY:
        # Once for the statement: an upsert that meets no row, too, and whatever a cascade would do.
        _trigger(table, "no_change", "BEFORE UPDATE OR DELETE OR TRUNCATE", "STATEMENT", "ledger_refuse_change")
    _trigger("period", "no_removal", "BEFORE DELETE OR TRUNCATE", "STATEMENT", "ledger_refuse_change")
    _trigger("period", "guard", "BEFORE INSERT OR UPDATE", "ROW", "period_guard")
    _trigger("journal_entry", "close", "BEFORE INSERT", "ROW", "journal_entry_close")
    _trigger(
        "journal_entry", "reversal", "BEFORE INSERT", "ROW WHEN (NEW.reverses_id IS NOT NULL)", "journal_entry_reversal"
    )
    _trigger("seal", "chain", "BEFORE INSERT", "ROW", "seal_chain")


def _function(name: str, body: str, variables: str = "") -> None:
    op.execute(
        sa.text(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ {variables} "
            f"BEGIN {body} RETURN NEW; END $$".replace(":", r"\:")
        )
    )


def _trigger(table: str, name: str, when: str, each: str, function: str) -> None:
    op.execute(f"CREATE TRIGGER {table}_{name} {when} ON {table} FOR EACH {each} EXECUTE FUNCTION {function}()")
    # Also under session_replication_role = replica, which switches ordinary triggers off.
    op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name}")


def _refuse(refusal: str) -> str:
    return f"RAISE EXCEPTION '{REFUSALS[refusal]}' USING ERRCODE = 'integrity_constraint_violation';"


PG_PERIOD_GUARD = f"""
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'open' THEN {_refuse("born")} END IF;
    ELSIF OLD.state <> 'open' OR NEW.state <> 'closed' OR NEW.month <> OLD.month
        OR NEW.opened_at <> OLD.opened_at OR NEW.opened_by IS DISTINCT FROM OLD.opened_by THEN
        {_refuse("closing")}
    END IF;
"""
PG_CLOSE_VARIABLES = "DECLARE taken bigint; total numeric; families bigint; misplaced boolean; period_state text;"
# FOR SHARE waits for a closing under way and then reads its outcome; in REPEATABLE READ it fails with 40001.
PG_CLOSE = f"""
    SELECT state INTO period_state FROM {{schema}}.period WHERE month = NEW.period FOR SHARE;
    IF period_state IS DISTINCT FROM 'open' THEN {_refuse("period")} END IF;
    IF to_char(NEW.effective_on, 'YYYY-MM') > NEW.period THEN {_refuse("early")} END IF;
    SELECT count(*), sum(p.amount_fen), CASE WHEN min(a.family) = max(a.family) THEN 1 ELSE 2 END,
        bool_or((a.dimension_kind = 'none') <> (p.dimension_id IS NULL))
    INTO taken, total, families, misplaced
    FROM {{schema}}.posting p JOIN {{schema}}.account a ON a.id = p.account_id WHERE p.entry_id = NEW.id;
    IF taken <> NEW.lines THEN {_refuse("lines")} END IF;
    IF total <> 0 THEN {_refuse("sum")} END IF;
    IF families <> 1 THEN {_refuse("family")} END IF;
    IF misplaced THEN {_refuse("dimension")} END IF;
"""
# The sum of an account and dimension over the original, the reversals before, and this one. Two reversals at
# once take the same number, and one of them fails on UNIQUE(reverses_id, reversal_no), whatever it could see.
REVERSED_SUMS = """
    SELECT
        coalesce(sum(CASE WHEN entry_id = NEW.reverses_id THEN amount_fen END), 0) AS original,
        coalesce(sum(CASE WHEN entry_id <> NEW.reverses_id THEN amount_fen END), 0) AS reversed,
        min(CASE WHEN entry_id = NEW.id THEN amount_fen END) AS lowest,
        max(CASE WHEN entry_id = NEW.id THEN amount_fen END) AS highest
    FROM {schema}posting
    WHERE entry_id IN (NEW.id, NEW.reverses_id)
        OR entry_id IN (SELECT id FROM {schema}journal_entry WHERE reverses_id = NEW.reverses_id)
    GROUP BY account_id, dimension_id
"""
#: True for an account and dimension of which this reversal takes back what it must not.
TOO_MUCH = """
    lowest IS NOT NULL AND (
        original = 0 OR (original > 0 AND highest > 0) OR (original < 0 AND lowest < 0)
        OR abs(reversed) > abs(original)
    )
"""
PG_REVERSAL = f"""
    IF NOT EXISTS (
        SELECT 1 FROM {{schema}}.journal_entry WHERE id = NEW.reverses_id AND reverses_id IS NULL
    ) THEN {_refuse("reversed")} END IF;
    IF NEW.reversal_no IS DISTINCT FROM
        1 + (SELECT count(*) FROM {{schema}}.journal_entry WHERE reverses_id = NEW.reverses_id)
    THEN {_refuse("number")} END IF;
    IF EXISTS (SELECT 1 FROM ({REVERSED_SUMS.format(schema="{schema}.")}) AS sums WHERE {TOO_MUCH})
    THEN {_refuse("total")} END IF;
"""
PG_SEAL_CHAIN = f"""
    IF NEW.id <> 1 + coalesce((SELECT max(id) FROM {{schema}}.seal), 0) OR NEW.previous_mac <> coalesce(
        (SELECT mac FROM {{schema}}.seal WHERE id = NEW.id - 1), repeat('0', 64)
    ) THEN {_refuse("chain")} END IF;
"""


# SQLite


def _close_on_sqlite() -> None:
    for table in APPEND_ONLY:
        _refuse_on_sqlite(table, "no_update", "UPDATE", "1", "append_only")
    for table in TABLES:
        _refuse_on_sqlite(table, "no_delete", "DELETE", "1", "append_only")
        taken = f"EXISTS (SELECT 1 FROM {table} WHERE {TAKEN[table]})"
        _refuse_on_sqlite(table, "no_replace", "INSERT", taken, "taken")
    _refuse_on_sqlite("period", "guard_insert", "INSERT", "NEW.state <> 'open'", "born")
    _refuse_on_sqlite("period", "guard_update", "UPDATE", SQLITE_PERIOD_CHANGED, "closing")
    _refuse_on_sqlite("seal", "chain", "INSERT", SQLITE_SEAL_BREAKS, "chain")
    op.execute(sa.text(SQLITE_CLOSE.replace(":", r"\:")))
    op.execute(sa.text(SQLITE_REVERSAL))


def _refuse_on_sqlite(table: str, name: str, action: str, when: str, refusal: str) -> None:
    op.execute(
        sa.text(
            f"CREATE TRIGGER {table}_{name} BEFORE {action} ON {table} WHEN {when} "
            f"BEGIN {_abort(refusal)}; END".replace(":", r"\:")
        )
    )


def _abort(refusal: str) -> str:
    return f"SELECT {_raise(refusal)}"


def _raise(refusal: str) -> str:
    return f"RAISE(ABORT, '{REFUSALS[refusal]}')"


SQLITE_PERIOD_CHANGED = (
    "OLD.state <> 'open' OR NEW.state <> 'closed' OR NEW.month IS NOT OLD.month "
    "OR NEW.opened_at IS NOT OLD.opened_at OR NEW.opened_by IS NOT OLD.opened_by"
)
SQLITE_SEAL_BREAKS = (
    "NEW.id <> 1 + coalesce((SELECT max(id) FROM seal), 0) OR NEW.previous_mac <> coalesce("
    f"(SELECT mac FROM seal WHERE id = NEW.id - 1), '{'0' * 64}')"
)
# A column of SQLite takes any kind of value. An id that is not given reads -1 here, so it is refused.
SQLITE_WRONG_VALUES = """
    NEW.id < 1 OR typeof(NEW.lines) <> 'integer' OR typeof(NEW.idempotency_key) <> 'text'
    OR typeof(NEW.content_sha256) <> 'text' OR typeof(NEW.event) <> 'text'
    OR date(NEW.effective_on) IS NOT NEW.effective_on OR typeof(NEW.recorded_at) <> 'text'
    OR typeof(NEW.actor_id) NOT IN ('integer', 'null') OR typeof(NEW.approver_id) NOT IN ('integer', 'null')
    OR typeof(NEW.reversal_no) NOT IN ('integer', 'null') OR typeof(NEW.reason) NOT IN ('text', 'null')
"""
SQLITE_CLOSE = f"""
    CREATE TRIGGER journal_entry_close BEFORE INSERT ON journal_entry BEGIN
        SELECT CASE
            WHEN {SQLITE_WRONG_VALUES} THEN {_raise("values")}
            WHEN NOT EXISTS (SELECT 1 FROM period WHERE month = NEW.period AND state = 'open') THEN {_raise("period")}
            WHEN substr(NEW.effective_on, 1, 7) > NEW.period THEN {_raise("early")}
            WHEN taken <> NEW.lines THEN {_raise("lines")}
            WHEN total <> 0 THEN {_raise("sum")}
            WHEN one_family IS NOT 1 THEN {_raise("family")}
            WHEN misplaced THEN {_raise("dimension")}
        END
        FROM (
            SELECT count(*) AS taken, sum(p.amount_fen) AS total, min(a.family) = max(a.family) AS one_family,
                max((a.dimension_kind = 'none') <> (p.dimension_id IS NULL)) AS misplaced
            FROM posting p JOIN account a ON a.id = p.account_id WHERE p.entry_id = NEW.id
        );
    END
"""
SQLITE_REVERSAL = f"""
    CREATE TRIGGER journal_entry_reversal BEFORE INSERT ON journal_entry WHEN NEW.reverses_id IS NOT NULL BEGIN
        SELECT CASE
            WHEN NOT EXISTS (SELECT 1 FROM journal_entry WHERE id = NEW.reverses_id AND reverses_id IS NULL)
                THEN {_raise("reversed")}
            WHEN NEW.reversal_no IS NOT 1 + (SELECT count(*) FROM journal_entry WHERE reverses_id = NEW.reverses_id)
                THEN {_raise("number")}
            WHEN EXISTS (SELECT 1 FROM ({REVERSED_SUMS.format(schema="")}) WHERE {TOO_MUCH}) THEN {_raise("total")}
        END;
    END
"""
