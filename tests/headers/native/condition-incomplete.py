# conda execute
# env:
#  - gcc  # [linux and]
