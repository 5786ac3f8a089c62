"""The embedded engine: py-rattler."""
