"""Settlement: monthly runs, notices, deposits, payments, commissions, write-offs, ageing."""

from supervise.views.settlements import ageing, commissions, deposits, notices, payments, runs, write_offs
from supervise.views.settlements.blueprint import bp

__all__ = ["ageing", "bp", "commissions", "deposits", "notices", "payments", "runs", "write_offs"]
