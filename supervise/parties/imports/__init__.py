"""Register files: org units, parties, numbers with holders, staff numbers; looked at first, then taken over whole."""
