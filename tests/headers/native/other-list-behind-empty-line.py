# conda execute
# env:
#  - python >=3

# - what this does:
#   nothing
print()
