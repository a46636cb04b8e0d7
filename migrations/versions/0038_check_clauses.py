"""Keep what a contract says besides prices: a checklist of clauses by dated reference rows, and its signed papers.

Written out here: a migration never imports the application, which will have changed.
"""

import datetime as dt

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
PAPERKINDS = "kind IN ('contract', 'amendment', 'annex')"
TABLES = ("contract_paper", "contract_clause", "clause_type")
_CAMPAIGN = "工信部联信管〔2018〕138号（综合整治骚扰电话专项行动方案）"
_PERSONAL_DATA = "个人信息保护法第二十一条"
#: code, Chinese, English, legal basis, from (domain A57, B9, R14 to R16, R20, R21, R24, R25).
CLAUSE_TYPES = (
    ("consent", "用户同意", "Consent of the subscriber", "消费者权益保护法第二十九条", "2014-03-15"),
    ("data_use", "个人信息使用范围", "Use of personal data", _PERSONAL_DATA, "2021-11-01"),
    ("call_frequency", "外呼频次与时段", "Frequency and hours of calls", _CAMPAIGN, "2018-07-18"),
    ("recording", "通话录音与留存", "Recording and its retention", "工信部信管〔2020〕81号", "2020-06-08"),
    ("supervision", "监督检查", "Supervision and inspection", _PERSONAL_DATA, "2021-11-01"),
    ("training", "人员培训", "Training of staff", "个人信息保护法第五十一条", "2021-11-01"),
    ("misuse_liability", "违规使用责任与处置", "Liability and measures for misuse", _CAMPAIGN, "2018-07-18"),
    (
        "real_caller_number",
        "真实主叫号码",
        "Real caller number",
        f"{_CAMPAIGN}；反电信网络诈骗法第十三条",
        "2018-07-18",
    ),
    ("no_transfer", "号码不得转租转售", "No transfer of numbers", _CAMPAIGN, "2018-07-18"),
    (
        "return_or_delete",
        "终止后返还或删除个人信息",
        "Return or deletion of data at the end",
        _PERSONAL_DATA,
        "2021-11-01",
    ),
)


def upgrade() -> None:
    """Create the tables and load what the law asks of a contract."""
    _create_clause_type()
    _create_contract_clause()
    _create_contract_paper()
    target = sa.table(
        "clause_type",
        *(sa.column(name, sa.Text()) for name in ("code", "name_zh", "name_en", "legal_basis")),
        sa.column("valid_from", sa.Date()),
    )
    rows = [
        {"code": code, "name_zh": zh, "name_en": en, "legal_basis": basis, "valid_from": dt.date.fromisoformat(day)}
        for code, zh, en, basis, day in CLAUSE_TYPES
    ]
    op.get_bind().execute(sa.insert(target), rows)


def downgrade() -> None:
    """Drop them; refused once a contract was checked or has a paper, which the older schema has no place for."""
    kept = op.get_bind().scalar(
        sa.text("SELECT (SELECT count(*) FROM contract_clause) + (SELECT count(*) FROM contract_paper)")
    )
    if kept:
        raise RuntimeError(f"{kept} checked clauses and papers of contracts: the older schema has no place for them")
    for table in TABLES:
        op.drop_table(table)


def _create_clause_type() -> None:
    op.create_table(
        "clause_type",
        sa.Column("id", KEY, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("legal_basis", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.CheckConstraint("valid_to IS NULL OR valid_to > valid_from", name=op.f("ck_clause_type_period_order")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clause_type")),
        sa.UniqueConstraint("code", "valid_from", name=op.f("uq_clause_type_code_valid_from")),
    )


def _create_contract_clause() -> None:
    op.create_table(
        "contract_clause",
        sa.Column("id", KEY, nullable=False),
        sa.Column("contract_id", KEY, nullable=False),
        sa.Column("clause_code", sa.Text(), nullable=False),
        sa.Column("is_present", sa.Boolean(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("checked_by", KEY, nullable=False),
        sa.Column("checked_at", MOMENT, nullable=False),
        sa.CheckConstraint("NOT is_present OR reference IS NOT NULL", name=op.f("ck_contract_clause_says_where")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_contract_clause_contract_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_clause")),
        sa.UniqueConstraint("contract_id", "clause_code", name=op.f("uq_contract_clause_contract_id_clause_code")),
    )


def _create_contract_paper() -> None:
    op.create_table(
        "contract_paper",
        sa.Column("id", KEY, nullable=False),
        sa.Column("contract_id", KEY, nullable=False),
        sa.Column("attachment_id", KEY, nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("added_by", KEY, nullable=False),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("withdrawn_by", KEY, nullable=True),
        sa.Column("withdrawn_at", MOMENT, nullable=True),
        sa.Column("withdrawal_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(withdrawn_by IS NULL) = (withdrawn_at IS NULL) AND (withdrawn_by IS NULL) = (withdrawal_reason IS NULL)",
            name=op.f("ck_contract_paper_withdrawal_complete"),
        ),
        sa.CheckConstraint(PAPERKINDS, name=op.f("ck_contract_paper_paperkind")),
        sa.ForeignKeyConstraint(["attachment_id"], ["attachment.id"], name=op.f("fk_contract_paper_attachment_id")),
        sa.ForeignKeyConstraint(["contract_id"], ["contract.id"], name=op.f("fk_contract_paper_contract_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contract_paper")),
        sa.UniqueConstraint("attachment_id", name=op.f("uq_contract_paper_attachment_id")),
    )
    op.create_index(op.f("ix_contract_paper_contract_id"), "contract_paper", ["contract_id"])
