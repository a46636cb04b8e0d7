"""What every register file has in common: rows are parsed one by one, judged together, written together."""

import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from supervise.bulk import slices
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.files.row_values import RowValues
from supervise.files.values import CellError
from supervise.labels import LOCALES, N_, LabelledEnum, use_locale
from supervise.parties.models import Party, PartyKind, PartyStatus

L = TypeVar("L", bound=LabelledEnum)


class Judgement(NamedTuple):
    """What becomes of a row."""

    verdict: RowVerdict
    remarks: Sequence[Remark] = ()
    #: The row of the register that it is, or changes.
    subject_id: int | None = None


class RegisterFile(Protocol):
    """One kind of register file."""

    kind: ImportKind
    mapping: ColumnMapping

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row's values; what is wrong is noted in *values* and the result then not used."""

    def judge(self, session: Session, rows: Sequence[Any]) -> Mapping[int, Judgement]:
        """Return what becomes of each row, by row number, against the register as it is now."""

    def write(
        self,
        session: Session,
        rows: Sequence[Any],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Write what is new or changed, with its audit events; return ``{row number: subject id}``."""


class KnownParty(NamedTuple):
    """A party as a file may refer to it."""

    id: int
    name: str
    kind: PartyKind
    status: PartyStatus
    is_merged: bool


def parties_by_code(session: Session, codes: Collection[str]) -> dict[str, KnownParty]:
    """Return the parties that have one of *codes* as their code or credit code."""
    found: dict[str, KnownParty] = {}
    for some in slices(set(codes)):
        query = select(
            Party.code, Party.credit_code, Party.id, Party.name, Party.kind, Party.status, Party.merged_into_id
        ).where(Party.code.in_(some) | Party.credit_code.in_(some))
        for code, credit_code, party_id, name, kind, status, into_id in session.execute(query):
            known = KnownParty(party_id, name, kind, status, into_id is not None)
            found[code] = known
            if credit_code is not None:
                found.setdefault(credit_code, known)
    return found


def why_unusable(code: str, party: KnownParty | None) -> Remark | None:
    """Return why nothing new can be given to the party that a file names; None: it can."""
    if party is None:
        return remark(N_("No party has the code %(code)s"), code=code)
    if party.is_merged:
        return remark(N_("%(name)s was merged into another party; use that one's code"), name=party.name)
    if party.status is PartyStatus.TERMINATED:
        return remark(N_("%(name)s is terminated"), name=party.name)
    return None


def member_named(kind: type[L], text: str) -> L:
    """Return the member of *kind* that a cell names by its value or its words in any of our languages.

    Raises:
        CellError: if there is none.
    """
    member: L | None = _members_by_name(kind).get(text.strip().casefold())
    if member is None:
        raise CellError(N_("This is none of the possible values: %(text)s"), text=text[:40])
    return member


@functools.cache
def _members_by_name(kind: type[LabelledEnum]) -> dict[str, Any]:
    found: dict[str, Any] = {member.value.casefold(): member for member in kind}
    for locale in LOCALES:
        with use_locale(locale):
            found |= {member.label.casefold(): member for member in kind}
    return found


def error(*remarks: Remark) -> Judgement:
    """Return the judgement of a row that is not taken over."""
    return Judgement(RowVerdict.ERROR, remarks)
