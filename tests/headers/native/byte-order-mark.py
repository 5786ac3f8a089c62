# conda execute
# env:
#  - python
