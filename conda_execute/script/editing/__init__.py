"""Changing a header in place, keeping every other byte of the file."""
