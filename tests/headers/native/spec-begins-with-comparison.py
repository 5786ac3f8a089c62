# conda execute
# env:
#  - >=3 python
print()
