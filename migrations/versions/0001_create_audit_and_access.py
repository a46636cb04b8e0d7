"""Create users, sessions, throttle counters and deputies, and the audit trail that nothing can alter.

Written out here: a migration never imports the application, which will have changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
ROLES = (
    "clerk",
    "triager",
    "supervisor",
    "branch_manager",
    "partner_contact",
    "finance",
    "auditor",
    "admin",
)
MESSAGE = "audit_event is append-only"


def upgrade() -> None:
    """Create the tables, then close the audit trail by triggers."""
    _create_audit_event()
    _create_app_user()
    _create_user_session()
    _create_login_throttle()
    _create_deputy()
    if op.get_bind().dialect.name == "postgresql":
        _close_audit_on_postgresql()
    else:
        _close_audit_on_sqlite()


def downgrade() -> None:
    """Drop everything; triggers go with their table, the function does not."""
    for table in ("deputy", "login_throttle", "user_session", "app_user", "audit_event"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_event_refuse_change()")


def _create_audit_event() -> None:
    op.create_table(
        "audit_event",
        sa.Column("id", KEY, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor_id", KEY, nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=True),
        sa.Column("changes", sa.JSON(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_event"),
    )
    op.create_index("ix_audit_event_subject_subject_id_id", "audit_event", ["subject", "subject_id", "id"])
    op.create_index("ix_audit_event_actor_id_id", "audit_event", ["actor_id", "id"])
    op.create_index("ix_audit_event_action_id", "audit_event", ["action", "id"])
    op.create_index("ix_audit_event_at", "audit_event", ["at"])


def _create_app_user() -> None:
    roles = ", ".join(f"'{role}'" for role in ROLES)
    op.create_table(
        "app_user",
        sa.Column("id", KEY, nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("display_name", sa.Text(), nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("password_is_initial", sa.Boolean(), nullable=False),
        sa.Column("password_changed_at", MOMENT, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("second_factor_cipher", sa.LargeBinary(), nullable=True),
        sa.Column("second_factor_at", MOMENT, nullable=True),
        sa.Column("second_factor_step", KEY, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("signed_in_at", MOMENT, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("username = lower(username)", name=op.f("ck_app_user_username_folded")),
        sa.CheckConstraint("locale IN ('zh_Hans', 'en')", name=op.f("ck_app_user_known_locale")),
        sa.CheckConstraint(
            "second_factor_at IS NULL OR second_factor_cipher IS NOT NULL",
            name=op.f("ck_app_user_second_factor_has_key"),
        ),
        sa.CheckConstraint(f"role IN ({roles})", name=op.f("ck_app_user_role")),
        sa.PrimaryKeyConstraint("id", name="pk_app_user"),
        sa.UniqueConstraint("username", name="uq_app_user_username"),
    )


def _create_user_session() -> None:
    op.create_table(
        "user_session",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_seen_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_user_session_expires_after_creation")),
        sa.PrimaryKeyConstraint("token_sha256", name="pk_user_session"),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name="fk_user_session_user_id"),
    )
    op.create_index("ix_user_session_user_id", "user_session", ["user_id"])
    op.create_index("ix_user_session_expires_at", "user_session", ["expires_at"])


def _create_login_throttle() -> None:
    op.create_table(
        "login_throttle",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("failures", KEY, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("blocked_until", MOMENT, nullable=False),
        sa.CheckConstraint("failures >= 0", name=op.f("ck_login_throttle_failures_not_negative")),
        sa.PrimaryKeyConstraint("key", name="pk_login_throttle"),
    )
    op.create_index("ix_login_throttle_last_at", "login_throttle", ["last_at"])


def _create_deputy() -> None:
    op.create_table(
        "deputy",
        sa.Column("id", KEY, nullable=False),
        sa.Column("delegator_id", KEY, nullable=False),
        sa.Column("deputy_id", KEY, nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=False),
        sa.Column("limit_fen", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("revoked_at", MOMENT, nullable=True),
        sa.Column("revoked_by", KEY, nullable=True),
        sa.CheckConstraint("deputy_id <> delegator_id", name=op.f("ck_deputy_two_people")),
        sa.CheckConstraint("valid_to > valid_from", name=op.f("ck_deputy_period_order")),
        sa.CheckConstraint("limit_fen > 0", name=op.f("ck_deputy_limit_positive")),
        sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name=op.f("ck_deputy_revoked_by_set")),
        sa.PrimaryKeyConstraint("id", name="pk_deputy"),
        sa.ForeignKeyConstraint(["delegator_id"], ["app_user.id"], name="fk_deputy_delegator_id"),
        sa.ForeignKeyConstraint(["deputy_id"], ["app_user.id"], name="fk_deputy_deputy_id"),
        sa.ForeignKeyConstraint(["revoked_by"], ["app_user.id"], name="fk_deputy_revoked_by"),
    )
    op.create_index("ix_deputy_delegator_id", "deputy", ["delegator_id"])
    op.create_index("ix_deputy_deputy_id_valid_from", "deputy", ["deputy_id", "valid_from"])


def _close_audit_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION audit_event_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN RAISE EXCEPTION '{MESSAGE}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_event_no_change BEFORE UPDATE OR DELETE ON audit_event "
        "FOR EACH ROW EXECUTE FUNCTION audit_event_refuse_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_event_no_truncate BEFORE TRUNCATE ON audit_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_event_refuse_change()"
    )
    for trigger in ("audit_event_no_change", "audit_event_no_truncate"):
        # Also under session_replication_role = replica, which switches ordinary triggers off.
        op.execute(f"ALTER TABLE audit_event ENABLE ALWAYS TRIGGER {trigger}")


def _close_audit_on_sqlite() -> None:
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER audit_event_no_{action.lower()} BEFORE {action} ON audit_event "
            f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
        )
    # INSERT OR REPLACE deletes the old row without asking the trigger above when recursive_triggers is off.
    op.execute(
        "CREATE TRIGGER audit_event_no_replace BEFORE INSERT ON audit_event "
        "WHEN EXISTS (SELECT 1 FROM audit_event WHERE id = NEW.id) "
        f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    )
