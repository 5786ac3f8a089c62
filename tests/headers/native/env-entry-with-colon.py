# conda execute
# env:
#  - python: 3.10
