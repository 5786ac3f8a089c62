# conda execute
# env:
#  - gcc  # [linux]
