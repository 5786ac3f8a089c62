# conda execute
# env:
#  - python
# renew-after: 30
