"""What the standard library does, for runs that cannot afford to import it."""
