# conda execute
# env:
#  - python
#  -
