#!/usr/bin/env conda-execute
# /// script
# requires-python = ">=3.10"
# dependencies = ["humanize >=4"]
#
# [tool.conda]
# channels = ["conda-forge"]
# dependencies = ["numpy"]
# ///
"""A standard inline header: `dependencies` come from PyPI, those in `[tool.conda]` from conda channels."""

import humanize
import numpy as np

print("the sum of the first million numbers is", humanize.intword(int(np.arange(1_000_001).sum())))
