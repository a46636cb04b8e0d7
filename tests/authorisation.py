"""Who may call which endpoint, written by hand: a second statement beside the policies in the views.

Add an endpoint to ``EXPECTATIONS`` when you add a view; add its rows to ``build_world`` when its address names a row
of a new kind. ``tests/test_authorisation.py`` tries every endpoint with every role on own, foreign and missing rows.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise import clock
from supervise.access.models import User
from supervise.access.roles import Role
from supervise.attribution.checklists import evidence_items
from supervise.attribution.inquiry_models import AnswerKind
from supervise.attribution.reporters import reporter_thresholds
from supervise.attribution.watch_thresholds import threshold_periods
from supervise.complaints.profiles import profiles_in_use
from supervise.donotcall.push import push_refusals
from supervise.donotcall.push_models import PushDelivery
from supervise.evidence.holds import ask_hold, holds_of
from supervise.evidence.models import RecordKind
from supervise.evidence.retention import place_legal_hold
from supervise.files.models import ImportKind
from supervise.jobs.records import create_job
from supervise.parties.models import OfficialNumber, OrgUnit, Party
from supervise.parties.proposals import Action, propose
from supervise.parties.scope import Scope
from supervise.penalties.ladder import rules_on
from supervise.penalties.models import Penalty
from tests.factories.access import make_deputy, make_user
from tests.factories.attribution import make_evidence, make_hop
from tests.factories.complaints import make_import, make_incident, make_subscriber, make_ticket, offence_type
from tests.factories.complaints import make_number as make_subscriber_number
from tests.factories.contracts import make_plan
from tests.factories.desk import make_override, make_run, make_second_look, make_view
from tests.factories.donotcall import make_refusal
from tests.factories.fines import make_fine_paper, make_recourse
from tests.factories.inquiries import ask_and_answer, make_answer_file, make_inquiry
from tests.factories.parties import (
    give_scope,
    make_capability,
    make_channel,
    make_file_entry,
    make_holder,
    make_party,
    make_relation,
    make_staff_number,
    make_unit,
    unit_party,
)
from tests.factories.penalties import make_merger
from tests.factories.points import make_sanction
from tests.factories.records import make_source, write_records
from tests.factories.recoveries import make_recovery
from tests.factories.watching import make_finding
from tests.finance_world import make_finance, make_verification
from tests.money_world import MoneyIds, make_money
from tests.settlement_world import make_settlements

CLERK, TRIAGER, SUPERVISOR, BRANCH, PARTNER, FINANCE, AUDITOR, ADMIN = Role
EVERYONE = frozenset(Role)


@dataclass(frozen=True)
class Expectation:
    """The roles that may call an endpoint; the others get 403, a stranger 401 or the login page."""

    roles: frozenset[Role]
    #: Open to strangers too.
    is_public: bool = False
    #: Where a POST to the same address is for fewer: the roles that may; the others get 403.
    writers: frozenset[Role] | None = None
    #: The world's name of a URL argument, where it is not the argument's own.
    rows: Mapping[str, str] = field(default_factory=dict)

    def admits(self, role: Role, method: str) -> bool:
        """Say whether *role* may send *method*."""
        if method == "POST" and self.writers is not None:
            return role in self.writers
        return role in self.roles


def only(*roles: Role, writers: frozenset[Role] | None = None, rows: Mapping[str, str] | None = None) -> Expectation:
    """Expect *roles* and nobody else."""
    return Expectation(frozenset(roles), writers=writers, rows=rows or {})


PUBLIC = Expectation(EVERYONE, is_public=True)
SIGNED_IN = Expectation(EVERYONE)

TICKET_READERS = (CLERK, TRIAGER, SUPERVISOR, AUDITOR)
PENALTY_READERS = (CLERK, TRIAGER, SUPERVISOR, BRANCH, PARTNER, FINANCE, AUDITOR)
SANCTION_READERS = (TRIAGER, SUPERVISOR, BRANCH, PARTNER, FINANCE, AUDITOR)
CREDIT_READERS = (CLERK, TRIAGER, SUPERVISOR, FINANCE, AUDITOR)
INQUIRY_READERS = (TRIAGER, SUPERVISOR, BRANCH, PARTNER, AUDITOR)
#: A suspicion is no business of whom it is about before somebody asks.
WATCH_READERS = (TRIAGER, SUPERVISOR, AUDITOR)
LEDGER_READERS = (TRIAGER, SUPERVISOR, FINANCE, AUDITOR)
#: The world's other batch has no lines.
OF_SETTLEMENT_RUN = {"run_id": "settlement_run_id"}
OF_BATCH = {"batch_id": "sent_batch_id", "import_id": "return_file_id"}
REGISTER_READERS = (CLERK, TRIAGER, SUPERVISOR, AUDITOR, BRANCH, PARTNER)

EXPECTATIONS: dict[str, Expectation] = {
    # what libraries bring
    "static": PUBLIC,
    "bootstrap.static": Expectation(EVERYONE, is_public=True, rows={"filename": "bootstrap_filename"}),
    # access
    "session.login": PUBLIC,
    "session.second_factor": PUBLIC,
    "session.logout": SIGNED_IN,
    "preferences.language": PUBLIC,
    "preferences.keys": PUBLIC,
    "searching.search": SIGNED_IN,
    "health.healthz": PUBLIC,
    "account.profile": SIGNED_IN,
    "account.password": SIGNED_IN,
    "account.end_others": SIGNED_IN,
    "account.enrol": SIGNED_IN,
    "account.confirm": SIGNED_IN,
    "account.remove": SIGNED_IN,
    "users.index": only(ADMIN),
    "users.export": only(ADMIN),
    "users.new": only(ADMIN),
    "users.detail": only(ADMIN),
    "users.scope": only(ADMIN),
    "users.reset_password": only(ADMIN),
    "users.reset_second_factor": only(ADMIN),
    "users.end_sessions": only(ADMIN),
    "deputies.index": only(SUPERVISOR),
    "deputies.revoke": only(SUPERVISOR),
    # registers
    "org_units.index": only(*REGISTER_READERS),
    "org_units.export": only(*REGISTER_READERS),
    "org_units.detail": only(*REGISTER_READERS),
    "org_units.new": only(TRIAGER),
    "org_units.edit": only(TRIAGER),
    "org_units.move": only(TRIAGER),
    "org_units.merge": only(TRIAGER),
    "org_units.close": only(TRIAGER),
    "parties.index": only(*REGISTER_READERS),
    "parties.export": only(*REGISTER_READERS),
    "parties.detail": only(*REGISTER_READERS),
    "parties.new": only(TRIAGER),
    "parties.edit": only(TRIAGER),
    "parties.status": only(TRIAGER),
    "parties.alias": only(TRIAGER),
    "parties.relate": only(TRIAGER),
    "parties.merge": only(TRIAGER),
    "parties.merger": only(TRIAGER, SUPERVISOR),
    "parties.approve_merger": only(SUPERVISOR),
    "parties.reject_merger": only(SUPERVISOR),
    "parties.withdraw_merger": only(TRIAGER),
    "relations.index": only(*REGISTER_READERS),
    "relations.export": only(*REGISTER_READERS),
    "relations.end": only(TRIAGER),
    "relations.correct": only(TRIAGER),
    "numbers.index": only(*REGISTER_READERS),
    "numbers.export": only(*REGISTER_READERS),
    "numbers.detail": only(*REGISTER_READERS),
    "numbers.new": only(TRIAGER),
    "numbers.note": only(TRIAGER),
    "numbers.hold": only(TRIAGER),
    "numbers.hand_over": only(TRIAGER),
    "numbers.end": only(TRIAGER),
    "numbers.correct": only(TRIAGER),
    "staff.index": only(*REGISTER_READERS),
    "staff.export": only(*REGISTER_READERS),
    "staff.detail": only(*REGISTER_READERS),
    "staff.new": only(TRIAGER),
    "staff.correct": only(TRIAGER),
    "staff.end": only(TRIAGER),
    "compliance_files.index": only(TRIAGER, SUPERVISOR, AUDITOR),
    "compliance_files.export": only(TRIAGER, SUPERVISOR, AUDITOR),
    "compliance_files.detail": only(TRIAGER, SUPERVISOR, AUDITOR),
    "compliance_files.add": only(TRIAGER),
    "compliance_files.strike": only(TRIAGER),
    "compliance_files.file": only(TRIAGER, SUPERVISOR, AUDITOR),
    "capabilities.index": only(*REGISTER_READERS),
    "capabilities.export": only(*REGISTER_READERS),
    "capabilities.new": only(TRIAGER),
    "capabilities.end": only(TRIAGER),
    "capabilities.correct": only(TRIAGER),
    "scorecards.index": only(*INQUIRY_READERS),
    "scorecards.export": only(*INQUIRY_READERS),
    "scorecards.card": only(*INQUIRY_READERS),
    "scorecards.trend_chart": only(*INQUIRY_READERS),
    "sanctions.index": only(*SANCTION_READERS),
    "sanctions.export": only(*SANCTION_READERS),
    "sanctions.in_force": only(*SANCTION_READERS),
    "sanctions.detail": only(*SANCTION_READERS),
    "sanctions.new": only(TRIAGER, SUPERVISOR),
    "sanctions.approve": only(SUPERVISOR),
    "sanctions.reject": only(SUPERVISOR),
    "sanctions.lift": only(SUPERVISOR),
    "sanctions.end_contracts": only(TRIAGER),
    "sanctions.extend": only(TRIAGER, SUPERVISOR),
    "sales_channels.index": only(*REGISTER_READERS),
    "sales_channels.export": only(*REGISTER_READERS),
    "sales_channels.detail": only(*REGISTER_READERS),
    "sales_channels.new": only(TRIAGER),
    "sales_channels.end": only(TRIAGER),
    "sales_channels.correct": only(TRIAGER),
    "official_numbers.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "official_numbers.export": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "official_numbers.detail": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "official_numbers.new": only(ADMIN),
    "official_numbers.correct": only(ADMIN),
    "official_numbers.end": only(ADMIN),
    "plans.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "plans.export": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "plans.detail": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "plans.new": only(ADMIN),
    "plans.end": only(ADMIN),
    "plans.correct": only(ADMIN),
    "register_proposals.index": only(TRIAGER, BRANCH, PARTNER),
    "register_proposals.detail": only(TRIAGER, BRANCH, PARTNER),
    "register_proposals.new": only(BRANCH, PARTNER),
    "register_proposals.accept": only(TRIAGER),
    "register_proposals.reject": only(TRIAGER),
    "register_proposals.withdraw": only(BRANCH, PARTNER),
    # intake
    "intake.new": only(CLERK, TRIAGER),
    "imports.index": only(CLERK, TRIAGER, FINANCE, ADMIN),
    "imports.new": only(CLERK, TRIAGER, FINANCE, ADMIN),
    "imports.detail": only(CLERK, TRIAGER, FINANCE, ADMIN, rows={"batch_id": "import_id"}),
    "imports.mapping": only(CLERK, TRIAGER, rows={"batch_id": "import_id"}),
    "imports.take_over": only(CLERK, TRIAGER, FINANCE, ADMIN, rows={"batch_id": "import_id"}),
    "imports.discard": only(CLERK, TRIAGER, FINANCE, ADMIN, rows={"batch_id": "import_id"}),
    "imports.errors": only(CLERK, TRIAGER, FINANCE, ADMIN, rows={"batch_id": "import_id"}),
    "imports.profiles": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "imports.profile": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "imports.retire": only(CLERK, TRIAGER),
    "subscribers.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR),
    "subscribers.detail": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, rows={"subscriber_id": "regional_subscriber_id"}),
    "subscribers.reveal": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, rows={"subscriber_id": "regional_subscriber_id"}),
    "subscribers.export": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR),
    "subscribers.new": only(TRIAGER),
    "subscribers.correct": only(TRIAGER, rows={"subscriber_id": "regional_subscriber_id"}),
    "subscribers.end": only(TRIAGER, rows={"subscriber_id": "regional_subscriber_id"}),
    "permissions.index": only(*TICKET_READERS),
    "permissions.find": only(*TICKET_READERS),
    "permissions.export": only(*TICKET_READERS),
    "permissions.number": only(*TICKET_READERS),
    "permissions.record": only(CLERK, TRIAGER),
    "permissions.new": only(CLERK, TRIAGER),
    "pushes.index": only(TRIAGER, SUPERVISOR, AUDITOR, BRANCH, PARTNER),
    "pushes.make": only(TRIAGER),
    "pushes.detail": only(TRIAGER, SUPERVISOR, AUDITOR, BRANCH, PARTNER),
    "pushes.acknowledge": only(BRANCH, PARTNER),
    "pushes.numbers": only(BRANCH, PARTNER),
    "reference.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "reference.calendar": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "reference.offences": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "reference.export_deadlines": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "reference.export_calendar": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "reference.export_offences": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "reference.new_deadline": only(ADMIN),
    "reference.load_year": only(ADMIN),
    "reference.set_day": only(ADMIN),
    "reference.new_offence": only(ADMIN),
    "reference.retire_offence": only(ADMIN),
    "checklists.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "checklists.new": only(ADMIN),
    "checklists.end": only(ADMIN),
    "approval_limits.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "approval_limits.new": only(SUPERVISOR),
    "approval_limits.new_ratio": only(SUPERVISOR),
    "consequence_rules.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "consequence_rules.new_step": only(SUPERVISOR),
    "consequence_rules.stop_step": only(SUPERVISOR, rows={"rule_id": "sanction_rule_id"}),
    "consequence_rules.new_points": only(SUPERVISOR),
    "consequence_rules.new_scheme": only(SUPERVISOR),
    "reporter_thresholds.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "reporter_thresholds.new": only(ADMIN),
    "reporter_thresholds.end": only(ADMIN),
    # records
    "records.index": only(*TICKET_READERS),
    "records.detail": only(*TICKET_READERS, rows={"import_id": "record_import_id"}),
    "records.refused_rows": only(*TICKET_READERS, rows={"import_id": "record_import_id"}),
    "records.new": only(TRIAGER),
    "records.coverage": only(*TICKET_READERS),
    "records.platforms": only(*TICKET_READERS),
    "records.new_platform": only(TRIAGER),
    "records.name_platform": only(TRIAGER),
    "records.end_platform": only(TRIAGER),
    "records.expiring": only(TRIAGER, SUPERVISOR, AUDITOR),
    "records.export_expiring": only(TRIAGER, SUPERVISOR, AUDITOR),
    "records.ask_selected": only(TRIAGER),
    "records.retention": only(TRIAGER, SUPERVISOR, AUDITOR),
    "records.drop": only(SUPERVISOR, rows={"kind": "record_kind", "month": "record_month"}),
    "records.new_hold": only(TRIAGER, SUPERVISOR),
    "records.release_hold": only(TRIAGER, SUPERVISOR),
    "records.ask_for_release": only(TRIAGER, SUPERVISOR),
    "records.keep_hold": only(TRIAGER, SUPERVISOR),
    "incidents.ask_to_keep": only(TRIAGER),
    "incidents.answer_to_keep": only(TRIAGER),
    "evidence_clocks.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "evidence_clocks.new_clock": only(SUPERVISOR),
    "inquiry_terms.new": only(SUPERVISOR),
    "mediation_terms.new": only(SUPERVISOR),
    "evidence_clocks.new_retention": only(SUPERVISOR),
    "thresholds.index": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "thresholds.export": only(CLERK, TRIAGER, SUPERVISOR, AUDITOR, ADMIN),
    "thresholds.new": only(SUPERVISOR, rows={"kind": "threshold_kind"}),
    "thresholds.end": only(SUPERVISOR),
    # jobs: one's own only
    "jobs.status": Expectation(EVERYONE),
    # bulk runs: one's own only
    "bulk_runs.index": SIGNED_IN,
    "bulk_runs.detail": SIGNED_IN,
    "bulk_runs.results": SIGNED_IN,
    "bulk_runs.resume": SIGNED_IN,
    # money through people; a deputy has a supervisor's permissions by delegation, not by role
    "approvals.index": only(SUPERVISOR),
    "approvals.credits": only(SUPERVISOR),
    "approvals.second_person": only(SUPERVISOR),
    "approvals.decide_penalties": only(SUPERVISOR),
    "approvals.decide_credits": only(SUPERVISOR),
    "approvals.approve_every_penalty": only(SUPERVISOR),
    "approvals.approve_every_credit": only(SUPERVISOR),
    "approvals.decide_reversal": only(SUPERVISOR),
    "approvals.decide_void": only(SUPERVISOR),
    "notices.index": only(*PENALTY_READERS),
    "notices.detail": only(*PENALTY_READERS),
    "notices.pdf": only(*PENALTY_READERS),
    "notices.acknowledge": only(BRANCH, PARTNER),
    "notices.accept": only(BRANCH, PARTNER),
    "notices.record_delivery": only(SUPERVISOR),
    "notices.list_later": only(SUPERVISOR),
    "penalties.index": only(*PENALTY_READERS),
    "penalties.chart": only(*PENALTY_READERS),
    "penalties.detail": only(*PENALTY_READERS),
    "penalties.acknowledge": only(BRANCH, PARTNER),
    "penalties.object_to": only(BRANCH, PARTNER, SUPERVISOR),
    "penalties.withdraw": only(BRANCH, PARTNER, SUPERVISOR),
    "penalties.decide_objection": only(SUPERVISOR),
    "penalties.add": only(BRANCH, PARTNER, SUPERVISOR),
    "penalties.ask": only(SUPERVISOR),
    "penalties.admit": only(SUPERVISOR),
    "penalties.file": only(*PENALTY_READERS, rows={"attachment_id": "objection_file_id"}),
    "penalties.propose_reversal": only(FINANCE),
    "approvals.adjustments": only(SUPERVISOR),
    "approvals.decide_adjustment": only(SUPERVISOR),
    "penalties.waivers": only(SUPERVISOR),
    "penalties.decide_waiver": only(SUPERVISOR),
    "fines.index": only(*LEDGER_READERS),
    "fines.new": only(FINANCE),
    "fines.detail": only(*LEDGER_READERS),
    "fines.claim": only(FINANCE),
    "fines.paid": only(FINANCE),
    "fines.cancel": only(SUPERVISOR),
    "fines.decide": only(SUPERVISOR),
    "fines.receive": only(FINANCE),
    "fines.paper": only(*LEDGER_READERS),
    "recoveries.index": only(TRIAGER, SUPERVISOR, FINANCE, AUDITOR),
    "recoveries.propose": only(TRIAGER),
    "recoveries.approve": only(SUPERVISOR),
    "recoveries.void": only(SUPERVISOR),
    "month_figures.index": only(TRIAGER, SUPERVISOR, AUDITOR),
    "month_figures.record": only(TRIAGER),
    "statements.index": only(TRIAGER, SUPERVISOR, BRANCH, PARTNER, FINANCE, AUDITOR),
    "statements.letter": only(TRIAGER, SUPERVISOR, BRANCH, PARTNER, FINANCE, AUDITOR),
    "statements.party": only(TRIAGER, SUPERVISOR, BRANCH, PARTNER, FINANCE, AUDITOR),
    "statements.workbook": only(TRIAGER, SUPERVISOR, BRANCH, PARTNER, FINANCE, AUDITOR),
    "reports.index": only(TRIAGER, SUPERVISOR, FINANCE, AUDITOR),
    "reports.penalty_workbook": only(TRIAGER, SUPERVISOR, FINANCE, AUDITOR),
    "contracts.index": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.export": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.export_rules": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.detail": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.new": only(TRIAGER),
    "contracts.edit": only(TRIAGER),
    "contracts.activate": only(SUPERVISOR),
    "contracts.terminate": only(SUPERVISOR),
    "contracts.new_amendment": only(TRIAGER),
    "contracts.put_amendment_into_force": only(SUPERVISOR),
    "contracts.withdraw_drafted_amendment": only(TRIAGER),
    "contracts.clauses": only(TRIAGER, SUPERVISOR),
    "contracts.new_paper": only(TRIAGER, SUPERVISOR),
    "contracts.paper": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.withdraw_paper": only(TRIAGER, SUPERVISOR),
    "contracts.rule": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.simulation": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.simulation_chart": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.simulation_workbook": only(TRIAGER, SUPERVISOR, AUDITOR),
    "contracts.new_rule": only(TRIAGER),
    "contracts.edit_rule": only(TRIAGER),
    "contracts.activate_version": only(SUPERVISOR),
    "contracts.retire_version": only(SUPERVISOR),
    "undertakings.index": only(TRIAGER, SUPERVISOR, AUDITOR),
    "undertakings.export": only(TRIAGER, SUPERVISOR, AUDITOR),
    "undertakings.detail": only(TRIAGER, SUPERVISOR, AUDITOR),
    "undertakings.find": only(TRIAGER),
    "undertakings.new": only(TRIAGER),
    "undertakings.agree": only(SUPERVISOR),
    "undertakings.end": only(SUPERVISOR),
    "undertakings.give_up": only(TRIAGER, SUPERVISOR),
    "undertakings.give_up_draft_policy": only(TRIAGER, SUPERVISOR),
    "undertakings.settle_history": only(TRIAGER),
    "undertakings.policies": only(TRIAGER, SUPERVISOR, AUDITOR),
    "undertakings.new_policy": only(TRIAGER),
    "undertakings.agree_to_policy": only(SUPERVISOR),
    "gl_map.index": only(FINANCE, ADMIN),
    # finance's pages
    "credits.index": only(*CREDIT_READERS),
    "credits.detail": only(*CREDIT_READERS),
    "credits.of_subscriber": only(*CREDIT_READERS, rows={"subscriber_id": "credited_subscriber_id"}),
    "credits.to_send": only(FINANCE),
    "credits.send": only(FINANCE),
    "credits.propose_cancellation": only(FINANCE),
    "credits.withdraw_cancellation": only(FINANCE),
    "credits.decide_cancellation": only(SUPERVISOR),
    # settlement
    "settlements.index": only(*LEDGER_READERS),
    "settlements.propose": only(FINANCE),
    "settlements.run": only(*LEDGER_READERS, rows=OF_SETTLEMENT_RUN),
    "settlements.approve": only(SUPERVISOR, rows=OF_SETTLEMENT_RUN),
    "settlements.cancel": only(FINANCE, SUPERVISOR, rows=OF_SETTLEMENT_RUN),
    "settlements.resume": only(FINANCE, rows=OF_SETTLEMENT_RUN),
    "settlements.workbook": only(*LEDGER_READERS, rows=OF_SETTLEMENT_RUN),
    "settlements.notices": only(*LEDGER_READERS, BRANCH, PARTNER),
    "settlements.notice": only(*LEDGER_READERS, BRANCH, PARTNER),
    "settlements.acknowledge": only(BRANCH, PARTNER),
    "settlements.deliver": only(FINANCE),
    "settlements.deposits": only(*LEDGER_READERS),
    "settlements.enter_deposit": only(FINANCE),
    "settlements.deposit": only(*LEDGER_READERS),
    "settlements.payments": only(*LEDGER_READERS),
    "settlements.enter_payment": only(FINANCE),
    "settlements.commissions": only(*LEDGER_READERS),
    "settlements.enter_commission": only(FINANCE),
    "settlements.write_offs": only(*LEDGER_READERS),
    "settlements.write_off": only(*LEDGER_READERS),
    "settlements.propose_off": only(FINANCE),
    "settlements.decide_off": only(SUPERVISOR),
    "settlements.aged": only(*LEDGER_READERS),
    "settlements.aged_workbook": only(*LEDGER_READERS),
    "batches.index": only(*LEDGER_READERS),
    "batches.detail": only(*LEDGER_READERS, rows=OF_BATCH),
    "batches.mark": only(FINANCE, rows=OF_BATCH),
    "batches.workbook": only(FINANCE, rows=OF_BATCH),
    "batches.fetch": only(FINANCE, rows=OF_BATCH),
    "batches.propose_void": only(FINANCE, rows=OF_BATCH),
    "batches.withdraw_void": only(FINANCE, rows=OF_BATCH),
    "batches.upload": only(FINANCE, rows=OF_BATCH),
    "batches.returned": only(*LEDGER_READERS, rows=OF_BATCH),
    "batches.take_over": only(FINANCE, rows=OF_BATCH),
    "batches.discard": only(FINANCE, rows=OF_BATCH),
    "batches.errors": only(FINANCE, rows=OF_BATCH),
    "ledger.trial_balance": only(*LEDGER_READERS),
    "ledger.account": only(*LEDGER_READERS, rows={"code": "account_code"}),
    "ledger.balances": only(*LEDGER_READERS, rows={"code": "account_code"}),
    "ledger.entry": only(*LEDGER_READERS),
    "ledger.months": only(*LEDGER_READERS),
    "ledger.open_month": only(FINANCE),
    "ledger.closing": only(FINANCE),
    "ledger.close": only(FINANCE),
    "ledger.soft_close": only(FINANCE),
    "ledger.end_soft_close": only(FINANCE),
    "ledger.reopening": only(*LEDGER_READERS),
    "ledger.ask_to_reopen": only(FINANCE),
    "ledger.decide_reopening": only(FINANCE, SUPERVISOR),
    "ledger.withdraw_reopening_request": only(FINANCE),
    "ledger.verification": only(FINANCE, AUDITOR),
    "ledger.verify": only(FINANCE, AUDITOR),
    "ledger.verified": only(FINANCE, AUDITOR, rows={"job_id": "verification_id"}),
    "ledger.beancount": only(FINANCE, AUDITOR),
    # compliance's desk
    "home.index": SIGNED_IN,
    "tickets.queue": only(*TICKET_READERS),
    "tickets.export": only(*TICKET_READERS),
    "tickets.weeks_chart": only(*TICKET_READERS),
    "tickets.detail": only(*TICKET_READERS),
    "tickets.paper": only(*TICKET_READERS),
    "tickets.reveal": only(*TICKET_READERS),
    "tickets.reveal_name": only(*TICKET_READERS),
    "tickets.reveal_original": only(*TICKET_READERS),
    "tickets.save": only(*TICKET_READERS),
    "tickets.drop": only(*TICKET_READERS),
    "tickets.bulk": only(CLERK, TRIAGER),
    "tickets.bulk_findings": only(TRIAGER),
    "tickets.accept": only(CLERK, TRIAGER),
    "tickets.investigate": only(CLERK, TRIAGER),
    "tickets.reply": only(CLERK, TRIAGER),
    "tickets.close": only(CLERK, TRIAGER),
    "tickets.refuse": only(CLERK, TRIAGER),
    "tickets.transfer": only(CLERK, TRIAGER),
    "tickets.withdraw": only(CLERK, TRIAGER),
    "tickets.reopen": only(CLERK, TRIAGER),
    "tickets.new_call": only(CLERK, TRIAGER),
    "tickets.record_objection": only(CLERK, TRIAGER),
    "tickets.take_back": only(CLERK, TRIAGER),
    "tickets.mediate": only(CLERK, TRIAGER),
    "tickets.tell": only(CLERK, TRIAGER),
    "tickets.end_mediation": only(CLERK, TRIAGER),
    "tickets.promise": only(TRIAGER),
    "tickets.promise_again": only(TRIAGER),
    "incidents.unpriced": only(TRIAGER, SUPERVISOR),
    "incidents.spared": only(TRIAGER, SUPERVISOR),
    "incidents.spare": only(TRIAGER, SUPERVISOR),
    "incidents.agree_to_spare": only(SUPERVISOR),
    "incidents.bring_back": only(TRIAGER, SUPERVISOR),
    "incidents.unattributed": only(TRIAGER, SUPERVISOR, AUDITOR),
    "incidents.accept_proven": only(TRIAGER),
    "incidents.weigh_anew": only(TRIAGER),
    "incidents.tracebacks": only(TRIAGER, SUPERVISOR, AUDITOR),
    "incidents.traceback": only(TRIAGER, SUPERVISOR, AUDITOR),
    "incidents.add_hop": only(TRIAGER),
    "incidents.answer_hop": only(TRIAGER),
    "incidents.end": only(TRIAGER),
    "incidents.proposals": only(TRIAGER, SUPERVISOR, AUDITOR),
    "incidents.dismiss": only(TRIAGER, rows={"proposal_id": "second_look_id"}),
    "incidents.overrides": only(TRIAGER, SUPERVISOR, AUDITOR),
    "incidents.confirm": only(SUPERVISOR),
    "incidents.reject": only(SUPERVISOR),
    "incidents.detail": only(*TICKET_READERS),
    "incidents.reveal": only(*TICKET_READERS),
    "incidents.verdict": only(TRIAGER),
    "incidents.findings": only(TRIAGER),
    "incidents.amounts": only(TRIAGER),
    "incidents.link_ticket": only(CLERK, TRIAGER),
    "incidents.unlink_ticket": only(CLERK, TRIAGER),
    "incidents.merge": only(CLERK, TRIAGER),
    "incidents.keep_apart": only(CLERK, TRIAGER),
    "incidents.add_evidence": only(CLERK, TRIAGER),
    "incidents.download_evidence": only(*TICKET_READERS),
    "incidents.withdraw_evidence": only(TRIAGER),
    "incidents.hold_evidence": only(TRIAGER),
    "incidents.release_evidence": only(TRIAGER, SUPERVISOR),
    "incidents.enter": only(TRIAGER),
    # watching
    "watch.index": only(*WATCH_READERS),
    "watch.findings": only(*WATCH_READERS, rows={"kind": "irregularity"}),
    "watch.chart": only(*WATCH_READERS, rows={"kind": "irregularity"}),
    "watch.export": only(*WATCH_READERS, rows={"kind": "irregularity"}),
    "watch.records": only(*WATCH_READERS),
    "watch.export_records": only(*WATCH_READERS),
    "watch.open_from": only(TRIAGER),
    # inquiries
    "inquiries.index": only(*INQUIRY_READERS),
    "inquiries.detail": only(*INQUIRY_READERS),
    "inquiries.file": only(*INQUIRY_READERS, rows={"attachment_id": "answer_file_id"}),
    "inquiries.choose": only(TRIAGER),
    "inquiries.new": only(TRIAGER),
    "inquiries.answer": only(BRANCH, PARTNER),
    "inquiries.extend": only(TRIAGER),
    "inquiries.withdraw": only(TRIAGER),
    "inquiries.conflicts": only(TRIAGER, SUPERVISOR, AUDITOR),
    "inquiries.conflict": only(TRIAGER, SUPERVISOR, AUDITOR, rows={"incident_id": "conflict_id"}),
    "inquiries.settle": only(SUPERVISOR, rows={"incident_id": "conflict_id"}),
    # audit
    "audit.index": only(AUDITOR),
    "audit.export": only(AUDITOR),
}


@dataclass
class Rows:
    """Values of one URL argument: whose row it is, by role; ``shared`` is for the roles that see all rows alike."""

    shared: int | str | None = None
    own: dict[Role, int | str] = field(default_factory=dict)
    #: Rows that exist and that the role must not see: 404.
    foreign: dict[Role, int | str] = field(default_factory=dict)
    #: Roles that may call such an address and yet see no such row at all.
    blind: frozenset[Role] = frozenset()
    #: A value of which there is no row.
    missing: int | str = 987_654_321

    def own_of(self, role: Role) -> int | str:
        """Return the row that *role* may see.

        Raises:
            LookupError: if the world has none.
        """
        value = self.own.get(role, self.shared)
        if value is None:
            raise LookupError(f"the world has no row of its own for {role}")
        return value


@dataclass
class World:
    """One user of each role, and rows of every kind that an address can name."""

    users: dict[Role, User]
    #: By the name of the URL argument.
    rows: dict[str, Rows]


def build_world(session: Session) -> World:
    """Make the world: two branches and two partners, of which the scoped roles have the first each."""
    users = {role: make_user(session, role=role) for role in Role}
    unit, other_unit = make_unit(session, name="城关分公司"), make_unit(session, name="七里河分公司")
    party, other_party = make_party(session, name="华信代理"), make_party(session, name="联达外呼")
    give_scope(session, user_id=users[CLERK].id, unit=unit)
    give_scope(session, user_id=users[BRANCH].id, unit=unit)
    give_scope(session, user_id=users[PARTNER].id, party=party)
    return World(
        users,
        {
            "filename": Rows(shared="app.css", missing="no-such-file.css"),
            "bootstrap_filename": Rows(shared="css/bootstrap.min.css", missing="no-such-file.css"),
            "user_id": Rows(shared=make_user(session, username="somebody").id),
            "delegation_id": _delegations(session, users),
            "job_id": _jobs(session, users),
            "unit_id": Rows(
                shared=unit.id,
                foreign={CLERK: other_unit.id, BRANCH: other_unit.id, PARTNER: unit.id},
                blind=frozenset({PARTNER}),
            ),
            **_money(
                make_money(session, units=(unit, other_unit), partners=(party, other_party), finance=users[FINANCE])
            ),
            **_settlements(session, users, (party, other_party)),
            **_registers(session, users, Owners(unit_party(session, unit), party, other_party)),
            **_intake(session, users, unit, other_unit),
            **_finance(session, users, (unit, other_unit)),
            **_desk(session, users, unit, other_unit),
            **_records(session),
            **_pushes(session, Owners(unit_party(session, unit), party, other_party)),
            **_inquiries(session, Owners(unit_party(session, unit), party, other_party)),
        },
    )


def _settlements(session: Session, users: Mapping[Role, User], partners: Sequence[Party]) -> dict[str, Rows]:
    penalty_id = session.scalars(select(Penalty.id).where(Penalty.party_id == partners[0].id)).first() or 0
    made = make_settlements(
        session,
        partners=partners,
        penalty_id=penalty_id,
        finance_id=users[FINANCE].id,
        supervisor_id=users[SUPERVISOR].id,
    )
    own, foreign = made.notices
    penalty = session.get_one(Penalty, penalty_id)
    return {
        "recovery_id": Rows(shared=make_recovery(session, penalty).id),
        **_fines(session, penalty),
        "settlement_run_id": Rows(shared=made.draft),
        # A branch reads the statements of what it sponsors, never their settlement.
        "settlement_id": Rows(
            shared=foreign, own={PARTNER: own}, foreign={PARTNER: foreign, BRANCH: own}, blind=frozenset({BRANCH})
        ),
        "write_off_id": Rows(shared=made.write_off),
    }


def _fines(session: Session, penalty: Penalty) -> dict[str, Rows]:
    line = make_recourse(session, party_id=penalty.party_id)
    scan = make_fine_paper(session, line.fine_id)
    return {
        "fine_id": Rows(shared=line.fine_id),
        "recourse_id": Rows(shared=line.id),
        "fine_paper_id": Rows(shared=scan.id),
    }


def _intake(session: Session, users: Mapping[Role, User], unit: OrgUnit, other_unit: OrgUnit) -> dict[str, Rows]:
    of_clerk, of_triager = (make_import(session, actor_id=users[role].id) for role in (CLERK, TRIAGER))
    of_admin = make_import(session, kind=ImportKind.OFFICIAL_NUMBERS, actor_id=users[ADMIN].id)
    of_finance = make_import(session, kind=ImportKind.COMMISSIONS, actor_id=users[FINANCE].id)
    own, foreign = (make_subscriber(session, unit=one) for one in (unit, other_unit))
    return {
        "import_id": Rows(
            shared=of_triager.id,
            own={CLERK: of_clerk.id, ADMIN: of_admin.id, FINANCE: of_finance.id},
            foreign={CLERK: of_triager.id, ADMIN: of_triager.id, FINANCE: of_triager.id},
        ),
        "profile_id": Rows(shared=profiles_in_use(session)[0].id),
        "regional_subscriber_id": Rows(shared=foreign.id, own={CLERK: own.id}, foreign={CLERK: foreign.id}),
        "subscriber_number_id": Rows(
            shared=foreign.number_id, own={CLERK: own.number_id}, foreign={CLERK: foreign.number_id}
        ),
        "offence_type_id": Rows(shared=offence_type(session, "frequency").id),
        "evidence_item_id": Rows(shared=evidence_items(session)[0].id),
        "reporter_threshold_id": Rows(shared=reporter_thresholds(session)[0].id),
        "sanction_rule_id": Rows(shared=rules_on(session, clock.today())[0].id),
        "threshold_kind": Rows(shared="call_hours", missing="moon_phase"),
        "threshold_id": Rows(shared=threshold_periods(session)[0].id),
        "plan_id": Rows(shared=make_plan(session).id),
        "year": Rows(shared=2026),
    }


def _desk(session: Session, users: Mapping[Role, User], unit: OrgUnit, other_unit: OrgUnit) -> dict[str, Rows]:
    number = make_subscriber_number(session)
    own, foreign = (make_ticket(session, number=number, unit=one) for one in (unit, other_unit))
    calls = [make_incident(session, ticket=ticket, caller_number=None) for ticket in (own, foreign)]
    files = [make_evidence(session, incident=call).attachment_id for call in calls]
    hop = make_hop(session, ticket=foreign)
    runs = {role: make_run(session, user_id=user.id, ticket=own).id for role, user in users.items()}
    view_ids = {role: make_view(session, user_id=user.id).id for role, user in users.items()}
    return {
        "ticket_id": Rows(shared=foreign.id, own={CLERK: own.id}, foreign={CLERK: foreign.id}),
        "incident_id": Rows(shared=calls[1].id, own={CLERK: calls[0].id}, foreign={CLERK: calls[1].id}),
        "attachment_id": Rows(shared=files[1], own={CLERK: files[0]}, foreign={CLERK: files[1]}),
        "attribution_id": Rows(shared=make_override(session, unit=other_unit, actor_id=users[TRIAGER].id).id),
        "run_id": Rows(
            own=dict(runs),
            foreign=dict.fromkeys(
                Role, make_run(session, user_id=make_user(session, username="run-owner").id, ticket=own).id
            ),
        ),
        "task_id": Rows(shared=hop.task_id),
        "hop_id": Rows(shared=hop.id),
        "second_look_id": Rows(shared=make_second_look(session, unit=other_unit).id),
        "view_id": Rows(
            own=dict(view_ids),
            foreign=dict.fromkeys(Role, make_view(session, user_id=make_user(session, username="view-owner").id).id),
        ),
    }


def _records(session: Session) -> dict[str, Rows]:
    day = dt.date(2021, 3, 4)
    batch = write_records(session, None, RecordKind.QUALITY, [], platform="qc-of-old", days=[day])
    incident = make_incident(session, occurred_at=clock.start_of_day(clock.today()))
    ask_hold(session, incident.id, asked_of="外呼平台", actor_id=1)
    # Days without records, so that every role may try to release it.
    until = dt.date(2019, 2, 1)
    hold = place_legal_hold(
        session, kind=None, from_day=dt.date(2019, 1, 1), to_day=until, reason="法院调证", actor_id=1
    )
    return {
        "record_import_id": Rows(shared=batch.id),
        "source_id": Rows(shared=make_source(session, code="qc-of-old").id),
        "record_kind": Rows(shared="quality", missing="moon_phase"),
        "record_month": Rows(shared="2021-03", missing="1999-01"),
        "hold_id": Rows(shared=holds_of(session, incident.id)[0].id),
        "legal_hold_id": Rows(shared=hold.id),
        "evidence_form": Rows(shared="recording", missing="moon_phase"),
    }


def _pushes(session: Session, owners: "Owners") -> dict[str, Rows]:
    make_refusal(session)
    push_id = push_refusals(session, actor_id=None).push_id
    query = select(PushDelivery.party_id, PushDelivery.id).where(PushDelivery.push_id == push_id)
    of_party = {row.party_id: row.id for row in session.execute(query)}
    # Every branch and partner gets the one push; each sees its own line of it.
    return {
        "push_id": Rows(shared=push_id),
        "delivery_id": _by_owner(*(of_party[owner.id] for owner in owners)),
    }


def _inquiries(session: Session, owners: "Owners") -> dict[str, Rows]:
    conflict = make_incident(session, caller_number=None)
    asked, files = [], []
    for party in owners:
        answered = ask_and_answer(session, conflict, party, AnswerKind.NOT_OURS)
        asked.append(answered.inquiry_id)
        files.append(make_answer_file(session, answered).id)
        make_inquiry(session, incident=conflict, party=party)
    return {
        "inquiry_id": _by_owner(*asked),
        "answer_file_id": _by_owner(*files),
        "conflict_id": Rows(shared=conflict.id),
        "finding_id": _by_owner(*_findings(session, owners)),
        "irregularity": Rows(shared="outside_hours", missing="moon_phase"),
    }


def _findings(session: Session, owners: "Owners") -> list[int]:
    of_branch = session.get_one(OrgUnit, owners.branch.org_unit_id)
    units = (of_branch, None, make_unit(session))
    return [make_finding(session, party=party, unit=unit).id for party, unit in zip(owners, units, strict=True)]


def _finance(session: Session, users: Mapping[Role, User], units: tuple[OrgUnit, OrgUnit]) -> dict[str, Rows]:
    ids = make_finance(session, units=units, finance_id=users[FINANCE].id)
    stranger = make_verification(session, make_user(session, username="verifier", role=AUDITOR).id)
    return {
        "credit_id": Rows(shared=ids.credits[1], own={CLERK: ids.credits[0]}, foreign={CLERK: ids.credits[1]}),
        "credited_subscriber_id": Rows(
            shared=ids.subscribers[1], own={CLERK: ids.subscribers[0]}, foreign={CLERK: ids.subscribers[1]}
        ),
        "sent_batch_id": Rows(shared=ids.batch),
        "return_file_id": Rows(shared=ids.return_file),
        "entry_id": Rows(shared=ids.entry),
        "account_code": Rows(shared="1012.09", missing="9999.99"),
        "month": Rows(shared=ids.month, missing="1999-01"),
        "reopening_id": Rows(shared=ids.reopening),
        "verification_id": Rows(
            own={role: make_verification(session, users[role].id) for role in (FINANCE, AUDITOR)},
            foreign={FINANCE: stranger, AUDITOR: stranger},
        ),
    }


class Owners(NamedTuple):
    """Whose rows the registers hold."""

    branch: Party
    partner: Party
    stranger: Party


def _registers(session: Session, users: Mapping[Role, User], owners: Owners) -> dict[str, Rows]:
    holders = [make_holder(session, party=party, digits=f"0931800000{n}") for n, party in enumerate(owners)]
    staff = [make_staff_number(session, employer=party, staff_number=f"800{n}") for n, party in enumerate(owners)]
    relation = make_relation(session, child=owners.partner, parent=owners.stranger)
    official = session.scalars(select(OfficialNumber)).first()
    channels = [make_channel(session, party=party, channel_code=f"QD{n}") for n, party in enumerate(owners)]
    return {
        "party_id": _by_owner(*(party.id for party in owners)),
        "number_id": _by_owner(*(holder.number_id for holder in holders)),
        "holder_id": _by_owner(*(holder.id for holder in holders)),
        "staff_id": _by_owner(*(row.id for row in staff)),
        "proposal_id": _by_owner(*(_proposal(session, party, users) for party in owners)),
        "relation_id": Rows(shared=relation.id),
        "file_entry_id": Rows(shared=make_file_entry(session, party=owners.partner).id),
        "merge_id": Rows(shared=make_merger(session, actor_id=users[TRIAGER].id).id),
        "capability_id": Rows(shared=make_capability(session, party=owners.partner).id),
        "channel_id": _by_owner(*(row.id for row in channels)),
        "official_id": Rows(shared=official.id if official is not None else None),
        "sanction_id": _by_owner(*(make_sanction(session, party=one, from_on=clock.today()).id for one in owners)),
    }


def _money(ids: MoneyIds) -> dict[str, Rows]:
    return {
        "penalty_id": _of_charged(ids.penalties),
        "notice_id": _of_charged(ids.notices),
        "objection_file_id": _of_charged(ids.objection_files),
        "objection_id": _of_charged(ids.objections),
        "request_id": Rows(shared=ids.reversal_request),
        "waiver_id": Rows(shared=ids.waiver),
        "adjustment_id": Rows(shared=ids.adjustment),
        "batch_id": Rows(shared=ids.batch),
        "contract_id": Rows(shared=ids.contract),
        "amendment_id": Rows(shared=ids.amendment),
        "paper_id": Rows(shared=ids.paper),
        "rule_id": Rows(shared=ids.rule),
        "undertaking_id": Rows(shared=ids.undertaking),
        "subscriber_id": Rows(shared=ids.subscriber),
        "policy_id": Rows(shared=ids.policy),
    }


def _of_charged(ids: Sequence[int]) -> Rows:
    of_branch, of_other_branch, of_partner, of_other_partner = ids
    return Rows(
        shared=of_partner,
        own={CLERK: of_branch, BRANCH: of_branch, PARTNER: of_partner},
        foreign={CLERK: of_other_branch, BRANCH: of_other_branch, PARTNER: of_other_partner},
    )


def _by_owner(of_branch: int, of_partner: int, of_stranger: int) -> Rows:
    own: dict[Role, int | str] = {CLERK: of_branch, BRANCH: of_branch, PARTNER: of_partner}
    return Rows(shared=of_partner, own=own, foreign=dict.fromkeys(own, of_stranger))


def _proposal(session: Session, party: Party, users: Mapping[Role, User]) -> int:
    proposer = users[BRANCH] if party.org_unit_id is not None else users[PARTNER]
    proposal = propose(
        session,
        Scope.everything(),
        action=Action.HOLD,
        party_id=party.id,
        change={"digits": f"09319{party.id:06d}", "at": "2026-01-01T00:00:00+08:00"},
        reason="new line",
        actor_id=proposer.id,
    )
    return proposal.id


def _delegations(session: Session, users: Mapping[Role, User]) -> Rows:
    other = make_user(session, username="other-supervisor", role=SUPERVISOR)
    # Not one of the world's own users: a delegation in force gives more permissions than the role has.
    deputy = make_user(session, username="deputy", role=TRIAGER)
    return Rows(
        own={SUPERVISOR: make_deputy(session, delegator=users[SUPERVISOR], deputy=deputy).id},
        foreign={SUPERVISOR: make_deputy(session, delegator=other, deputy=deputy).id},
    )


def _jobs(session: Session, users: Mapping[Role, User]) -> Rows:
    stranger = make_user(session, username="job-owner")
    other = create_job(session, "imports.preview", {"batch_id": 1}, actor_id=stranger.id)
    own = {
        role: create_job(session, "imports.preview", {"batch_id": 1}, actor_id=user.id).id
        for role, user in users.items()
    }
    return Rows(own=dict(own), foreign=dict.fromkeys(Role, other.id))
