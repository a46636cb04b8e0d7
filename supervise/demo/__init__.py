"""Invented people, numbers and complaints for whoever wants to look around; never used by the program itself."""
