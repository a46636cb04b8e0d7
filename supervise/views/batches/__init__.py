"""Credit batches: what was sent to billing, the workbook, what billing answered, voids."""

from supervise.views.batches import answers, pages, returns, voids, workbook
from supervise.views.batches.blueprint import bp

__all__ = ["answers", "bp", "pages", "returns", "voids", "workbook"]
