# conda execute
# env:
#  - “python >=3”
print()
