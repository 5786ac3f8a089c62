# conda execute
# env:
#  - python  # [see the manual
