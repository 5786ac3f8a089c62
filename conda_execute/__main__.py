"""`python -m conda_execute`: the same as the program `conda-execute`."""

from .execute import program

program()
