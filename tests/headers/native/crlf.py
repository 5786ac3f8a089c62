#!/usr/bin/env python
# conda execute
# env:
#  - python
#  - numpy # [not win]

print()
