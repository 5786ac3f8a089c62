#!/usr/bin/env python
"""
A script that uses numpy's random normal distribution to print 3 numbers.

"""

# conda execute
# env:
#  - python >=3
#  - numpy

import numpy as np

print(np.random.normal(size=3))
