#!conda execute
# env:
#  - python
