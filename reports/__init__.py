"""Read-only workbooks and charts, one module for each; the only writers of .xlsx."""
