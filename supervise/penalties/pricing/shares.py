"""Who bears how much of a charge, and of the credits that are recovered; both to the fen."""

from collections.abc import Sequence

from supervise.contracts.rules import WHOLE_BP
from supervise.money import split_by_largest_remainder
from supervise.penalties.pricing.outcomes import Charge, Portion


def share_out(charge: Charge, bearers: Sequence[int]) -> list[Portion]:
    """Return each bearer's part of *charge*, in the order of the rule's shares; the parts sum to it exactly.

    *bearers* are party ids, one for each share of the rule, or the payer alone if it has none. Leftover fen go to
    the largest remainders, ties to the earlier bearer (domain 7.6). A bearer whose part is nothing has no row.
    Jointly liable parties have a row each, of their own share; that any of them can be made to pay the others',
    up to its limit, stands in the explanation and is the settlement's to use.
    """
    shares = charge.offence.rule.parameters.shares
    if shares is None:
        [payer_id] = bearers
        return [Portion(payer_id, charge.gross_fen, charge.capped_fen, charge.explanation)]
    weights = [part.share_bp or 1 for part in shares.parts]
    # Amount and cut are split, and the gross is their sum: a share of the gross alone could fall below its cut.
    amounts = split_by_largest_remainder(charge.amount_fen, weights)
    cuts = split_by_largest_remainder(charge.capped_fen, weights) if charge.capped_fen else [0] * len(weights)
    whole = {"mode": shares.mode.value, "share_bp": None, "bearers": len(bearers), "of_fen": charge.amount_fen}
    portions = []
    for party_id, part, amount_fen, cut_fen in zip(bearers, shares.parts, amounts, cuts, strict=True):
        share = {**whole, "share_bp": part.share_bp}
        if part.limit_fen is not None:
            share["limit_fen"] = part.limit_fen
        if amount_fen + cut_fen:
            explanation = {**charge.explanation, "share": share}
            portions.append(Portion(party_id, amount_fen + cut_fen, cut_fen, explanation))
    return portions


def recover(credits_fen: int, recovery_bp: int, weights: Sequence[int] = (1,)) -> list[int]:
    """Return what each bearer gives back of *credits_fen*: *recovery_bp* of them, rounded down, by *weights*.

    ``recover(15000, 10000, [6000, 4000])`` is ``[9000, 6000]`` (domain 7.8). What is left the carrier bears.
    """
    return split_by_largest_remainder(credits_fen * recovery_bp // WHOLE_BP, weights)
