"""What subscribers were promised and are owed."""
