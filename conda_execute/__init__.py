"""Run a script in the conda environment that its own comments ask for."""

__version__ = "1.0.0"
