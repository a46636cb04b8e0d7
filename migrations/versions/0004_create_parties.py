"""Create the registers: org units, parties, relations, numbers with holders, staff numbers, row scope, proposals.

Dated rows of one key never overlap: exclusion constraints on PostgreSQL, triggers on SQLite. PostgreSQL gets a
range type over text, since btree_gist may be missing and a key may be text.
Written out here: a migration never imports the application, which will have changed.
"""

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
UNITKIND = ("headquarters", "province", "city", "county", "hall", "team")
NUMBERCLASS = (
    "mobile",
    "landline",
    "service_95",
    "service_96",
    "service_400",
    "port_106",
    "virtual",
    "official",
    "other",
)
OFFICIALUSE = ("outbound", "hotline")
PARTYKIND = (
    "org_unit",
    "agent",
    "marketing_partner",
    "outsourcer",
    "port_holder",
    "line_customer",
    "employee_caller",
)
PARTYSTATUS = ("claimed", "registered", "suspended", "terminated")
RELATIONROLE = ("contracted_by", "staffed_to", "sub_agent_of", "sponsored_by")
PROPOSALSTATE = ("open", "accepted", "rejected", "withdrawn")
TABLES = (
    "register_proposal",
    "user_scope",
    "staff_number",
    "official_number",
    "carrier",
    "number_holder",
    "phone_number",
    "party_relation",
    "party_alias",
    "party",
    "org_unit_placement",
    "org_unit",
)


class DatedKey(NamedTuple):
    """A table in which two rows of the same key may not share a moment."""

    table: str
    ids: tuple[str, ...]
    texts: tuple[str, ...]
    first: str
    end: str
    period: str


DATED_KEYS = (
    DatedKey("org_unit_placement", ("unit_id",), (), "valid_from", "valid_to", "daterange"),
    DatedKey("party_relation", ("child_id",), ("role",), "valid_from", "valid_to", "daterange"),
    DatedKey("number_holder", ("number_id",), (), "held_from", "held_to", "tstzrange"),
    DatedKey("staff_number", (), ("carrier_code", "staff_number"), "valid_from", "valid_to", "daterange"),
    DatedKey("official_number", (), ("carrier_code", "use", "digits"), "valid_from", "valid_to", "daterange"),
)


def upgrade() -> None:
    """Create the tables, then refuse overlaps by dialect."""
    _create_org_units()
    _create_parties()
    _create_numbers()
    _create_official_numbers()
    _create_staff_numbers()
    _create_user_scope()
    _create_register_proposal()
    if op.get_bind().dialect.name == "postgresql":
        op.execute('CREATE TYPE text_range AS RANGE (subtype = text, collation = "C")')
        for key in DATED_KEYS:
            _exclude_overlaps(key)
    else:
        for key in DATED_KEYS:
            _trigger_on_overlaps(key)


def downgrade() -> None:
    """Drop everything; constraints and triggers go with their table, the range type does not."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TYPE text_range")


def _exclude_overlaps(key: DatedKey) -> None:
    equal = [f"int8range({column}, {column}, '[]') WITH &&" for column in key.ids]
    equal += [f"text_range({column}::text, {column}::text, '[]') WITH &&" for column in key.texts]
    op.execute(
        f"ALTER TABLE {key.table} ADD CONSTRAINT ex_{key.table}_overlap EXCLUDE USING gist "
        f"({', '.join(equal)}, {key.period}({key.first}, {key.end}) WITH &&)"
    )


def _trigger_on_overlaps(key: DatedKey) -> None:
    same = " AND ".join(f"other.{column} = NEW.{column}" for column in (*key.ids, *key.texts))
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


def _create_org_units() -> None:
    op.create_table(
        "org_unit",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("cost_centre", sa.Text(), nullable=True),
        sa.Column("merged_into_id", KEY, nullable=True),
        sa.Column("merged_on", sa.Date(), nullable=True),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("(merged_into_id IS NULL) = (merged_on IS NULL)", name=op.f("ck_org_unit_merge_complete")),
        sa.CheckConstraint("merged_into_id <> id", name=op.f("ck_org_unit_not_merged_into_itself")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["org_unit.id"], name=op.f("fk_org_unit_merged_into_id")),
        sa.CheckConstraint(_one_of("kind", UNITKIND), name=op.f("ck_org_unit_unitkind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org_unit")),
        sa.UniqueConstraint("code", name=op.f("uq_org_unit_code")),
    )
    op.create_index(op.f("ix_org_unit_merged_into_id"), "org_unit", ["merged_into_id"])
    op.create_index(op.f("ix_org_unit_name"), "org_unit", ["name"])
    op.create_table(
        "org_unit_placement",
        sa.Column("id", KEY, nullable=False),
        sa.Column("unit_id", KEY, nullable=False),
        sa.Column("parent_id", KEY, nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("parent_id <> unit_id", name=op.f("ck_org_unit_placement_not_its_own_parent")),
        sa.CheckConstraint(
            "valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_org_unit_placement_period_order")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["org_unit.id"], name=op.f("fk_org_unit_placement_parent_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["org_unit.id"], name=op.f("fk_org_unit_placement_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_org_unit_placement")),
    )
    op.create_index(
        op.f("ix_org_unit_placement_parent_id_valid_from"), "org_unit_placement", ["parent_id", "valid_from"]
    )
    op.create_index(op.f("ix_org_unit_placement_unit_id"), "org_unit_placement", ["unit_id"])


def _create_parties() -> None:
    op.create_table(
        "party",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.String(40), nullable=False),
        sa.Column("credit_code", sa.Text(), nullable=True),
        sa.Column("org_unit_id", KEY, nullable=True),
        sa.Column("is_person", sa.Boolean(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("merged_into_id", KEY, nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "(kind = 'org_unit') = (org_unit_id IS NOT NULL)", name=op.f("ck_party_unit_party_has_unit")
        ),
        sa.CheckConstraint("merged_into_id <> id", name=op.f("ck_party_not_merged_into_itself")),
        sa.ForeignKeyConstraint(["merged_into_id"], ["party.id"], name=op.f("fk_party_merged_into_id")),
        sa.ForeignKeyConstraint(["org_unit_id"], ["org_unit.id"], name=op.f("fk_party_org_unit_id")),
        sa.CheckConstraint(_one_of("kind", PARTYKIND), name=op.f("ck_party_partykind")),
        sa.CheckConstraint(_one_of("status", PARTYSTATUS), name=op.f("ck_party_partystatus")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party")),
        sa.UniqueConstraint("code", name=op.f("uq_party_code")),
        sa.UniqueConstraint("credit_code", name=op.f("uq_party_credit_code")),
        sa.UniqueConstraint("org_unit_id", name=op.f("uq_party_org_unit_id")),
    )
    op.create_index(op.f("ix_party_kind_name"), "party", ["kind", "name"])
    op.create_index(op.f("ix_party_merged_into_id"), "party", ["merged_into_id"])
    op.create_index(op.f("ix_party_name"), "party", ["name"])
    op.create_table(
        "party_alias",
        sa.Column("id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_party_alias_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_alias")),
        sa.UniqueConstraint("party_id", "name", name=op.f("uq_party_alias_party_id_name")),
    )
    op.create_index(op.f("ix_party_alias_name"), "party_alias", ["name"])
    op.create_table(
        "party_relation",
        sa.Column("id", KEY, nullable=False),
        sa.Column("child_id", KEY, nullable=False),
        sa.Column("parent_id", KEY, nullable=False),
        sa.Column("role", sa.String(40), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("parent_id <> child_id", name=op.f("ck_party_relation_not_its_own_parent")),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_party_relation_period_order")),
        sa.ForeignKeyConstraint(["child_id"], ["party.id"], name=op.f("fk_party_relation_child_id")),
        sa.ForeignKeyConstraint(["parent_id"], ["party.id"], name=op.f("fk_party_relation_parent_id")),
        sa.CheckConstraint(_one_of("role", RELATIONROLE), name=op.f("ck_party_relation_relationrole")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_party_relation")),
    )
    op.create_index(
        op.f("ix_party_relation_child_id_role_valid_from"), "party_relation", ["child_id", "role", "valid_from"]
    )
    op.create_index(op.f("ix_party_relation_parent_id"), "party_relation", ["parent_id"])


def _create_numbers() -> None:
    op.create_table(
        "phone_number",
        sa.Column("id", KEY, nullable=False),
        sa.Column("digits", sa.Text(), nullable=False),
        sa.Column("number_class", sa.String(40), nullable=False),
        sa.Column("is_prefix", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(_one_of("number_class", NUMBERCLASS), name=op.f("ck_phone_number_numberclass")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_phone_number")),
        sa.UniqueConstraint("digits", name=op.f("uq_phone_number_digits")),
    )
    op.create_table(
        "number_holder",
        sa.Column("id", KEY, nullable=False),
        sa.Column("number_id", KEY, nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("held_from", MOMENT, nullable=False),
        sa.Column("held_to", MOMENT, nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("held_to IS NULL OR held_to > held_from", name=op.f("ck_number_holder_period_order")),
        sa.ForeignKeyConstraint(["number_id"], ["phone_number.id"], name=op.f("fk_number_holder_number_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_number_holder_party_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_number_holder")),
    )
    op.create_index(op.f("ix_number_holder_number_id_held_from"), "number_holder", ["number_id", "held_from"])
    op.create_index(op.f("ix_number_holder_party_id_held_from"), "number_holder", ["party_id", "held_from"])


def _create_official_numbers() -> None:
    op.create_table(
        "carrier",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_carrier")),
    )
    op.create_table(
        "official_number",
        sa.Column("id", KEY, nullable=False),
        sa.Column("carrier_code", sa.Text(), nullable=False),
        sa.Column("digits", sa.Text(), nullable=False),
        sa.Column("use", sa.String(40), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_official_number_period_order")),
        sa.ForeignKeyConstraint(["carrier_code"], ["carrier.code"], name=op.f("fk_official_number_carrier_code")),
        sa.CheckConstraint(_one_of("use", OFFICIALUSE), name=op.f("ck_official_number_officialuse")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_official_number")),
    )
    op.create_index(op.f("ix_official_number_digits"), "official_number", ["digits"])


def _create_staff_numbers() -> None:
    op.create_table(
        "staff_number",
        sa.Column("id", KEY, nullable=False),
        sa.Column("carrier_code", sa.Text(), nullable=False),
        sa.Column("staff_number", sa.Text(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=True),
        sa.Column("employer_id", KEY, nullable=False),
        sa.Column("placed_at_id", KEY, nullable=True),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_staff_number_period_order")),
        sa.ForeignKeyConstraint(["carrier_code"], ["carrier.code"], name=op.f("fk_staff_number_carrier_code")),
        sa.ForeignKeyConstraint(["employer_id"], ["party.id"], name=op.f("fk_staff_number_employer_id")),
        sa.ForeignKeyConstraint(["placed_at_id"], ["party.id"], name=op.f("fk_staff_number_placed_at_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_number")),
    )
    op.create_index(
        op.f("ix_staff_number_carrier_code_staff_number_valid_from"),
        "staff_number",
        ["carrier_code", "staff_number", "valid_from"],
    )
    op.create_index(op.f("ix_staff_number_employer_id"), "staff_number", ["employer_id"])
    op.create_index(op.f("ix_staff_number_placed_at_id"), "staff_number", ["placed_at_id"])


def _create_user_scope() -> None:
    op.create_table(
        "user_scope",
        sa.Column("id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.Column("org_unit_id", KEY, nullable=True),
        sa.Column("party_id", KEY, nullable=True),
        sa.CheckConstraint(
            "(org_unit_id IS NULL) <> (party_id IS NULL)", name=op.f("ck_user_scope_one_of_unit_or_party")
        ),
        sa.ForeignKeyConstraint(["org_unit_id"], ["org_unit.id"], name=op.f("fk_user_scope_org_unit_id")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_user_scope_party_id")),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], name=op.f("fk_user_scope_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_scope")),
        sa.UniqueConstraint("user_id", "org_unit_id", name=op.f("uq_user_scope_user_id_org_unit_id")),
        sa.UniqueConstraint("user_id", "party_id", name=op.f("uq_user_scope_user_id_party_id")),
    )
    op.create_index(op.f("ix_user_scope_org_unit_id"), "user_scope", ["org_unit_id"])
    op.create_index(op.f("ix_user_scope_party_id"), "user_scope", ["party_id"])


def _create_register_proposal() -> None:
    op.create_table(
        "register_proposal",
        sa.Column("id", KEY, nullable=False),
        sa.Column("register", sa.Text(), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("party_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("proposed_by", KEY, nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("decided_by", KEY, nullable=True),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decision_note", sa.Text(), nullable=True),
        sa.Column("version", KEY, nullable=False),
        sa.CheckConstraint(
            "(state IN ('accepted', 'rejected')) = (decided_by IS NOT NULL)",
            name=op.f("ck_register_proposal_decided_by_set"),
        ),
        sa.CheckConstraint("register IN ('numbers', 'staff')", name=op.f("ck_register_proposal_known_register")),
        sa.CheckConstraint("decided_by <> proposed_by", name=op.f("ck_register_proposal_two_people")),
        sa.ForeignKeyConstraint(["party_id"], ["party.id"], name=op.f("fk_register_proposal_party_id")),
        sa.CheckConstraint(_one_of("state", PROPOSALSTATE), name=op.f("ck_register_proposal_proposalstate")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register_proposal")),
    )
    op.create_index(op.f("ix_register_proposal_party_id"), "register_proposal", ["party_id"])
    op.create_index(op.f("ix_register_proposal_state_id"), "register_proposal", ["state", "id"])
