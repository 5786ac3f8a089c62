# conda execute
# run_with: python

# env:
#  - python
print()
