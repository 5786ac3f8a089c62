# conda execute
# channels
#  - a
# env:
#  - python
