"""The double-entry ledger: chart, posting, reversal, balances, periods, seals and their verification.

It knows money and days, never what a complaint is; whom a dimension names is for the subjects above to know.
"""
