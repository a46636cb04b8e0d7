"""What was signed and what it costs: contracts, the assessment policy, rule versions, labels."""
