# conda execute
# env:
#  - python
print()
