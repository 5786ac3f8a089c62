"""Prefixes that many processes share on disk: names, states, locks, uses and cleaning."""
