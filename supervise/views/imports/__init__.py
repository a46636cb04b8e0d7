"""Imports: upload, mapping, preview, the decision, and the profiles that describe files."""

from supervise.views.imports import batches, uploading
from supervise.views.imports.blueprint import bp

__all__ = ["batches", "bp", "uploading"]
