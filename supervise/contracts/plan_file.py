"""The plan catalogue from a file, as it is published in the web hall: a few thousand rows at most."""

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from supervise.contracts.plan_queries import PlanLine, plans_with_codes
from supervise.contracts.plans import PlanTerms, end_publication, publish_plan
from supervise.files.mapping import ColumnMapping
from supervise.files.models import ImportKind, RowVerdict
from supervise.files.remarks import Remark, remark
from supervise.files.row_values import RowValues
from supervise.files.values import parse_day, parse_text, parse_yuan
from supervise.labels import N_, _
from supervise.parties.imports.overlaps import Span
from supervise.parties.imports.periods import Claim, Held, compared, without_overlaps
from supervise.parties.imports.register_file import Judgement, member_named
from supervise.parties.models import SalesChannelKind
from supervise.parties.periods import in_words

_BETWEEN = re.compile(r"[;；,，、\s]+")  # noqa: RUF001 - Chinese lists use these


class PlanRow(NamedTuple):
    """A plan as the file publishes it."""

    row_number: int
    code: str
    terms: PlanTerms


class PlanFile:
    """The file of the plan catalogue."""

    kind = ImportKind.PLANS
    mapping = ColumnMapping(
        fields={
            "code": ("套餐编码", "Plan code"),
            "name": ("套餐名称", "Plan name"),
            "price": ("月费（元）", "月费", "Monthly price (yuan)"),  # noqa: RUF001
            "published_from": ("公示日期", "上架日期", "Published from"),
            "published_to": ("停售日期", "下架日期", "Published until"),
            "kinds": ("可售渠道类型", "Kinds of channel"),
            "channel_codes": ("可售渠道编码", "Channel codes"),
        },
        required=frozenset({"code", "name", "price", "published_from"}),
    )

    def parse(self, row_number: int, values: RowValues) -> Any:
        """Return the row; without kinds and codes the plan may be sold everywhere."""
        code, name = values.required("code", parse_text), values.required("name", parse_text)
        price_fen = values.required("price", parse_yuan)
        first, end = values.required("published_from", parse_day), values.optional("published_to", parse_day)
        kinds = values.optional("kinds", _kinds) or frozenset()
        codes = values.optional("channel_codes", split_codes) or frozenset()
        if first is not None and end is not None and end <= first:
            values.add("published_to", N_("The end must be after the start"))
        if price_fen is not None and price_fen < 0:
            values.add("price", N_("A price cannot be below zero"))
        if code is None or name is None or price_fen is None or first is None:
            return None
        return PlanRow(row_number, code, PlanTerms(name, price_fen, first, end, kinds, codes))

    def judge(self, session: Session, rows: Sequence[PlanRow]) -> Mapping[int, Judgement]:
        """Return what becomes of each row; another price, name or channel is another plan, which overlaps."""
        held: dict[str, list[Held[dt.date]]] = defaultdict(list)
        for line in plans_with_codes(session, {row.code for row in rows}):
            held[line.plan.code].append(_held(line))
        claims = [_claim(row) for row in rows]
        return without_overlaps(compared(claims, held), claims, held, _in_the_way)

    def write(
        self,
        session: Session,
        rows: Sequence[PlanRow],
        judgements: Mapping[int, Judgement],
        *,
        batch_id: int,
        actor_id: int,
    ) -> Mapping[int, int]:
        """Set the ends that changed, then publish the new ones, one by one."""
        written = {}
        reason = _("File import %(id)d", id=batch_id)
        for row in rows:
            judged = judgements[row.row_number]
            if judged.verdict is RowVerdict.CHANGED and judged.subject_id is not None:
                end = row.terms.published_to or dt.date.max
                end_publication(session, judged.subject_id, on=end, reason=reason, actor_id=actor_id)
                written[row.row_number] = judged.subject_id
        for row in rows:
            if judgements[row.row_number].verdict is RowVerdict.NEW:
                written[row.row_number] = publish_plan(session, row.code, row.terms, actor_id=actor_id).id
        return written


def split_codes(text: str) -> frozenset[str]:
    """Return the codes of a list: separated by spaces, commas or semicolons."""
    return frozenset(part for part in _BETWEEN.split(text.strip()) if part)


def _kinds(text: str) -> frozenset[SalesChannelKind]:
    return frozenset(member_named(SalesChannelKind, part) for part in re.split(r"[;；,，、]", text) if part.strip())  # noqa: RUF001


def _owner(terms: PlanTerms) -> object:
    return terms.name, terms.monthly_price_fen, terms.kinds, terms.channel_codes


def _claim(row: PlanRow) -> Claim[str, dt.date]:
    terms = row.terms
    return Claim(row.row_number, row.code, _owner(terms), terms.name, terms.published_from, terms.published_to)


def _held(line: PlanLine) -> Held[dt.date]:
    plan = line.plan
    terms = PlanTerms(
        plan.name,
        plan.monthly_price_fen,
        plan.published_from,
        kinds=frozenset(line.kinds),
        channel_codes=frozenset(line.channel_codes),
    )
    return Held(plan.id, _owner(terms), plan.name, plan.published_from, plan.published_to)


def _in_the_way(other: Span[dt.date]) -> Remark:
    first, end = in_words(other.first), in_words(other.end)
    if other.row_number:
        message = N_("Row %(row)d publishes this plan as %(name)s from %(first)s until %(end)s")
        return remark(message, row=other.row_number, name=other.name, first=first, end=end)
    message = N_("In the catalogue it is published as %(name)s from %(first)s until %(end)s, with other terms")
    return remark(message, name=other.name, first=first, end=end)
