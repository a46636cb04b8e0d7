"""Eight roles and what each may do: the table of domain.md section 10, read by every view.

A permission says which function a role may use; whose rows it sees is the scope, in ``supervise.parties``.
"""

from enum import StrEnum

from supervise.labels import N_, LabelledEnum


class Role(LabelledEnum):
    """What a user is employed to do; each user has exactly one."""

    CLERK = "clerk", N_("Clerk")
    TRIAGER = "triager", N_("Triager")
    SUPERVISOR = "supervisor", N_("Supervisor")
    BRANCH_MANAGER = "branch_manager", N_("Branch manager")
    PARTNER_CONTACT = "partner_contact", N_("Partner contact")
    FINANCE = "finance", N_("Finance")
    AUDITOR = "auditor", N_("Auditor")
    ADMIN = "admin", N_("Administrator")


#: These see only the rows of the units or parties that they are given; without one they see nothing.
SCOPED_ROLES = frozenset({Role.CLERK, Role.BRANCH_MANAGER, Role.PARTNER_CONTACT})


class Permission(StrEnum):
    """One function of the system. ``READ_*`` is always within the user's scope."""

    # Tickets and incidents
    READ_TICKETS = "read_tickets"
    CREATE_TICKETS = "create_tickets"
    IMPORT_TICKETS = "import_tickets"
    #: Reply, close, withdraw, refuse, transfer.
    ANSWER_TICKETS = "answer_tickets"
    #: One full subscriber number at a time, with a reason, logged.
    REVEAL_NUMBERS = "reveal_numbers"
    #: That a subscriber said no: at once, by whoever hears it (domain F70).
    RECORD_REFUSALS = "record_refusals"
    #: That a subscriber said yes, which lets parties call: one by one and by file (domain F29).
    RECORD_CONSENTS = "record_consents"
    # Attribution, findings, amounts
    #: Verdict, finding, proposal of amounts.
    TRIAGE = "triage"
    #: The second person of an override.
    CONFIRM_OVERRIDES = "confirm_overrides"
    READ_INQUIRIES = "read_inquiries"
    ANSWER_INQUIRIES = "answer_inquiries"
    #: What watching the records found: suspicions, never offences. A charged party learns of them by an inquiry.
    READ_WATCH = "read_watch"
    ACKNOWLEDGE_PUSHES = "acknowledge_pushes"
    READ_PENALTIES = "read_penalties"
    READ_CREDITS = "read_credits"
    APPROVE_MONEY = "approve_money"
    ACKNOWLEDGE_PENALTIES = "acknowledge_penalties"
    #: Object to a penalty of the own unit or party.
    OBJECT = "object"
    #: Enter an objection that the charged party made in writing.
    OBJECT_FOR_PARTY = "object_for_party"
    DECIDE_APPEALS = "decide_appeals"
    #: Points, sanctions and scorecards; the sanctioned side sees its own, once they are decided.
    READ_SANCTIONS = "read_sanctions"
    READ_SCORECARDS = "read_scorecards"
    PROPOSE_SANCTIONS = "propose_sanctions"
    #: The second person of a sanction; also turns down and lifts.
    APPROVE_SANCTIONS = "approve_sanctions"
    # Money
    READ_LEDGER = "read_ledger"
    #: The statement of a party within scope.
    READ_STATEMENTS = "read_statements"
    EXPORT_CREDITS = "export_credits"
    IMPORT_RETURNS = "import_returns"
    SETTLE = "settle"
    #: Open, hold and close months, ask to reopen one.
    CLOSE_PERIODS = "close_periods"
    #: The second person of a reopening.
    CONFIRM_REOPENINGS = "confirm_reopenings"
    READ_REPORTS = "read_reports"
    PROPOSE_REVERSALS = "propose_reversals"
    #: Also the void of a credit batch.
    APPROVE_REVERSALS = "approve_reversals"
    # Registers, contracts, settings
    READ_REGISTERS = "read_registers"
    WRITE_REGISTERS = "write_registers"
    PROPOSE_REGISTER_CHANGES = "propose_register_changes"
    ACCEPT_REGISTER_CHANGES = "accept_register_changes"
    READ_CONTRACTS = "read_contracts"
    #: Contracts, rule versions, undertakings and policies, as drafts.
    DRAFT_CONTRACTS = "draft_contracts"
    ACTIVATE_CONTRACTS = "activate_contracts"
    #: Agree to an undertaking or a compensation policy.
    AGREE_UNDERTAKINGS = "agree_undertakings"
    READ_REFERENCE = "read_reference"
    #: Channels, deadlines, calendars, offence types, number classes, templates.
    EDIT_REFERENCE = "edit_reference"
    #: The supervisor's part of the reference rows: assessment rules, limits of authority.
    EDIT_RULES = "edit_rules"
    EDIT_GL_MAP = "edit_gl_map"
    MANAGE_USERS = "manage_users"
    DELEGATE = "delegate"
    READ_AUDIT = "read_audit"


_P = Permission

_READ_ALL = frozenset(
    {
        _P.READ_TICKETS,
        _P.READ_INQUIRIES,
        _P.READ_WATCH,
        _P.READ_PENALTIES,
        _P.READ_CREDITS,
        _P.READ_SANCTIONS,
        _P.READ_SCORECARDS,
        _P.READ_LEDGER,
        _P.READ_STATEMENTS,
        _P.READ_REPORTS,
        _P.READ_REGISTERS,
        _P.READ_CONTRACTS,
        _P.READ_REFERENCE,
    }
)
_CHARGED_PARTY = frozenset(
    {
        _P.READ_PENALTIES,
        _P.READ_SANCTIONS,
        _P.READ_SCORECARDS,
        _P.READ_STATEMENTS,
        _P.READ_INQUIRIES,
        _P.ANSWER_INQUIRIES,
        _P.ACKNOWLEDGE_PUSHES,
        _P.ACKNOWLEDGE_PENALTIES,
        _P.OBJECT,
        _P.READ_REGISTERS,
        _P.PROPOSE_REGISTER_CHANGES,
    }
)

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.CLERK: frozenset(
        {
            _P.READ_TICKETS,
            _P.CREATE_TICKETS,
            _P.IMPORT_TICKETS,
            _P.ANSWER_TICKETS,
            _P.REVEAL_NUMBERS,
            _P.RECORD_REFUSALS,
            _P.READ_PENALTIES,
            _P.READ_CREDITS,
            _P.READ_REGISTERS,
            _P.READ_REFERENCE,
        }
    ),
    Role.TRIAGER: _READ_ALL
    | {
        _P.CREATE_TICKETS,
        _P.IMPORT_TICKETS,
        _P.ANSWER_TICKETS,
        _P.REVEAL_NUMBERS,
        _P.RECORD_REFUSALS,
        _P.RECORD_CONSENTS,
        _P.TRIAGE,
        _P.PROPOSE_SANCTIONS,
        _P.WRITE_REGISTERS,
        _P.ACCEPT_REGISTER_CHANGES,
        _P.DRAFT_CONTRACTS,
    },
    Role.SUPERVISOR: _READ_ALL
    | {
        _P.REVEAL_NUMBERS,
        _P.CONFIRM_OVERRIDES,
        _P.APPROVE_MONEY,
        _P.OBJECT_FOR_PARTY,
        _P.DECIDE_APPEALS,
        _P.PROPOSE_SANCTIONS,
        _P.APPROVE_SANCTIONS,
        _P.APPROVE_REVERSALS,
        _P.CONFIRM_REOPENINGS,
        _P.ACTIVATE_CONTRACTS,
        _P.AGREE_UNDERTAKINGS,
        _P.EDIT_RULES,
        _P.DELEGATE,
    },
    Role.BRANCH_MANAGER: _CHARGED_PARTY,
    Role.PARTNER_CONTACT: _CHARGED_PARTY,
    Role.FINANCE: frozenset(
        {
            _P.READ_PENALTIES,
            _P.READ_CREDITS,
            _P.READ_SANCTIONS,
            _P.READ_LEDGER,
            _P.READ_STATEMENTS,
            _P.READ_REPORTS,
            _P.EXPORT_CREDITS,
            _P.IMPORT_RETURNS,
            _P.SETTLE,
            _P.CLOSE_PERIODS,
            _P.CONFIRM_REOPENINGS,
            _P.PROPOSE_REVERSALS,
            _P.EDIT_GL_MAP,
        }
    ),
    Role.AUDITOR: _READ_ALL | {_P.REVEAL_NUMBERS, _P.READ_AUDIT},
    Role.ADMIN: frozenset({_P.READ_REFERENCE, _P.EDIT_REFERENCE, _P.EDIT_GL_MAP, _P.MANAGE_USERS}),
}

#: What a deputy may do in a supervisor's absence, up to the limit of the delegation; never delegate further.
DEPUTY_PERMISSIONS = frozenset(
    {
        _P.CONFIRM_OVERRIDES,
        _P.APPROVE_MONEY,
        _P.OBJECT_FOR_PARTY,
        _P.DECIDE_APPEALS,
        _P.APPROVE_SANCTIONS,
        _P.APPROVE_REVERSALS,
        _P.AGREE_UNDERTAKINGS,
    }
)
#: Who can stand in for a supervisor: compliance's own staff with sight of all rows.
DEPUTY_ROLES = frozenset({Role.TRIAGER, Role.SUPERVISOR})
