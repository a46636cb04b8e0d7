"""Who answers for an incident, and which offences are proven."""
