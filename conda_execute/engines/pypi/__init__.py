"""PyPI packages: uv."""
