"""Watching the records before anyone complains: what is irregular in them, by party and day."""
