"""The chart of accounts (domain.md section 8): what each account is, and by what its balances are split.

The rows stand in the table ``account``, loaded by migration 0002; the codes here are those that decisions post to.
"""

from supervise.labels import N_, LabelledEnum


class AccountFamily(LabelledEnum):
    """Partners and subscribers, or the carrier's own branches; one entry never mixes them."""

    EXTERNAL = "external", N_("External")
    INTERNAL = "internal", N_("Internal assessment")


class AccountType(LabelledEnum):
    """On which side of the books an account stands."""

    ASSET = "asset", N_("Asset")
    LIABILITY = "liability", N_("Liability")
    #: Zero, or explained, when its period closes.
    CLEARING = "clearing", N_("Clearing")
    INCOME = "income", N_("Income")
    EXPENSE = "expense", N_("Expense")
    CONTRA_EXPENSE = "contra_expense", N_("Contra expense")
    #: The other half of an internal assessment: the carrier owes it to itself.
    OFFSET = "offset", N_("Internal offset")


class DimensionKind(LabelledEnum):
    """What a posting's ``dimension_id`` names; the ledger only knows whether there must be one."""

    NONE = "none", N_("No dimension")
    PARTY = "party", N_("Party")
    SUBSCRIBER = "subscriber", N_("Subscriber")
    UNIT = "unit", N_("Org unit")
    BATCH = "batch", N_("Credit batch")


class AccountCode(LabelledEnum):
    """The accounts that decisions post to, by the code that finance knows them by."""

    BANK = "1002", N_("Bank")
    BILLING_CLEARING = "1012.09", N_("Billing credit clearing")
    #: Stands for the main general ledger's own billing account: what billing has accepted or paid out.
    BILLING_CONTROL = "1122.09", N_("Billing control (main general ledger)")
    PENALTY_CONTESTABLE = "1221.01", N_("Penalty receivable, contestable")
    PENALTY_RECEIVABLE = "1221.02", N_("Penalty receivable")
    COMPENSATION_RECOVERABLE = "1221.03", N_("Compensation recoverable")
    FINE_RECOVERABLE = "1221.04", N_("Regulator's fines recoverable")
    COMMISSION_CLEARING = "2202.09", N_("Commission set-off clearing")
    COMPENSATION_PAYABLE = "2241.01", N_("Subscriber compensation payable")
    DEPOSITS_HELD = "2241.02", N_("Deposits held")
    REFUND_DUE = "2241.03", N_("Refund due to party")
    PENALTY_DEFERRED = "2241.04", N_("Deferred penalty")
    PENALTY_INCOME = "6301.01", N_("Penalty income")
    COMPENSATION_EXPENSE = "6711.01", N_("Compensation expense")
    COMPENSATION_RECOVERY = "6711.02", N_("Recovery of compensation")
    REWARD_EXPENSE = "6711.03", N_("Reward expense")
    FINE_RECOURSE = "6711.04", N_("Recourse of regulator's fines")
    WRITE_OFF = "6711.09", N_("Write-off")
    ASSESSMENT_CONTESTABLE = "9001.01", N_("Internal assessment, contestable")
    ASSESSMENT_FINAL = "9001.02", N_("Internal assessment, final")
    FINE_ASSESSMENT = "9001.03", N_("Internal recourse of regulator's fines")
    ASSESSMENT_OFFSET_CONTESTABLE = "9002.01", N_("Internal assessment offset, contestable")
    ASSESSMENT_OFFSET = "9002.02", N_("Internal assessment offset, final")
    FINE_ASSESSMENT_OFFSET = "9002.03", N_("Internal recourse offset")
