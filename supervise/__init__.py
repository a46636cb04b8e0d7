"""supervise: from a complaint to the settled yuan (docs/, README.md)."""
