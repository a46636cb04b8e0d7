"""Collecting what is final: deposits, commissions, cash, monthly runs, top-up calls and write-offs."""
