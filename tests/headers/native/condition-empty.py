# conda execute
# env:
#  - gcc  # []
