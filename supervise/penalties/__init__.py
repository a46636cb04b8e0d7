"""What a party owes for a finding, from proposal to final or void."""
