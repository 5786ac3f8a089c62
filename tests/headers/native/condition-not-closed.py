# conda execute
# env:
#  - python
#  - gcc  # [linux
