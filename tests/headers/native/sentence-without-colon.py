# conda execute
# env:
#  - python
# This script plots everything.
