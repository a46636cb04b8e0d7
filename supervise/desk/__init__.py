"""The work across subjects: the queue, the story of a ticket, replies, home pages."""
