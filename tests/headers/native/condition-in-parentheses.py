# conda execute
# env:
#  - python
#  - lua # (win)
#  - six # (not win)
