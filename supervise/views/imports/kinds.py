"""Which files a user may bring in, and what their columns mean."""

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy.orm import Session

from supervise.access.identity import current_user
from supervise.access.roles import SCOPED_ROLES, Permission
from supervise.complaints.profiles import mapping_of, profile_by_id
from supervise.complaints.subscriber_file import SubscriberFile
from supervise.contracts.contract_file import ContractFile
from supervise.contracts.plan_file import PlanFile
from supervise.donotcall.permission_file import PermissionFile
from supervise.errors import NotFoundError, NotPermittedError
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportBatch, ImportKind
from supervise.files.refusals import FileRefusedError
from supervise.parties.imports.steps import REGISTER_FILES
from supervise.penalties.figure_file import FigureFile
from supervise.settlement.commission_file import CommissionFile

#: Who may bring in a kind of file. Billing's return files come in by the pages of credit batches.
PERMISSIONS: Mapping[ImportKind, Permission] = MappingProxyType(
    {
        ImportKind.COMPLAINTS: Permission.IMPORT_TICKETS,
        ImportKind.NUMBERS: Permission.WRITE_REGISTERS,
        ImportKind.STAFF: Permission.WRITE_REGISTERS,
        ImportKind.PARTIES: Permission.WRITE_REGISTERS,
        ImportKind.ORG_UNITS: Permission.WRITE_REGISTERS,
        ImportKind.SUBSCRIBERS: Permission.WRITE_REGISTERS,
        ImportKind.PERMISSIONS: Permission.RECORD_CONSENTS,
        ImportKind.RELATIONS: Permission.WRITE_REGISTERS,
        ImportKind.OFFICIAL_NUMBERS: Permission.EDIT_REFERENCE,
        ImportKind.CONTRACTS: Permission.DRAFT_CONTRACTS,
        ImportKind.CAPABILITIES: Permission.WRITE_REGISTERS,
        ImportKind.SALES_CHANNELS: Permission.WRITE_REGISTERS,
        ImportKind.PLANS: Permission.EDIT_REFERENCE,
        ImportKind.MONTH_FIGURES: Permission.DRAFT_CONTRACTS,
        ImportKind.COMMISSIONS: Permission.SETTLE,
    }
)
#: Who may bring in a file of some kind.
IMPORTERS = tuple(sorted(set(PERMISSIONS.values())))


def allowed_kinds() -> list[ImportKind]:
    """Return the kinds of file that the user may bring in."""
    me = current_user()
    return [kind for kind, permission in PERMISSIONS.items() if me.can(permission)]


def chosen_kind(text: str | None) -> ImportKind:
    """Return the kind that an address names, complaints if it names none.

    Raises:
        NotFoundError: if there is no such kind.
        NotPermittedError: if it is not the user's to bring in.
    """
    allowed = allowed_kinds()
    if not text:
        return allowed[0]
    if text not in {kind.value for kind in PERMISSIONS}:
        raise NotFoundError
    if text not in {kind.value for kind in allowed}:
        raise NotPermittedError
    return ImportKind(text)


def batch_in_scope(session: Session, batch_id: int) -> ImportBatch:
    """Return an import that the user may see: of an allowed kind, and a clerk's own.

    Raises:
        NotFoundError: otherwise.
    """
    batch = session.get(ImportBatch, batch_id)
    me = current_user()
    if batch is None or batch.kind not in allowed_kinds():
        raise NotFoundError
    if me.role in SCOPED_ROLES and batch.created_by != me.id:
        raise NotFoundError
    return batch


def mapping_of_batch(session: Session, batch: ImportBatch) -> ColumnMapping | None:
    """Return how the columns of an import are read; None while nobody has said it."""
    fixed = fixed_mapping(batch.kind)
    if fixed is not None:
        return fixed
    return mapping_of(profile_by_id(session, batch.profile_id)) if batch.profile_id is not None else None


def fixed_mapping(kind: ImportKind) -> ColumnMapping | None:
    """Return the columns of a register's file; None for a kind that profiles describe."""
    if kind in REGISTER_FILES:
        return REGISTER_FILES[kind].mapping
    return {
        ImportKind.SUBSCRIBERS: SubscriberFile.mapping,
        ImportKind.PERMISSIONS: PermissionFile.mapping,
        ImportKind.CONTRACTS: ContractFile.mapping,
        ImportKind.PLANS: PlanFile.mapping,
        ImportKind.MONTH_FIGURES: FigureFile.mapping,
        ImportKind.COMMISSIONS: CommissionFile.mapping,
    }.get(kind)


def headings_of(mapping: ColumnMapping | None, header: list[str]) -> dict[str, str]:
    """Return what the file calls each field, in the order of its columns."""
    if mapping is None or not header:
        return {}
    try:
        columns = mapping.columns(header)
    except FileRefusedError:
        return {}
    return {name: header[place] for name, place in sorted(columns.places.items(), key=lambda item: item[1])}
