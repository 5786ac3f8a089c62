"""Replacements for parts of the standard library that take too long to import in a warm run."""
