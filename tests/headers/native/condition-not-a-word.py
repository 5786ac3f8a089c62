# conda execute
# env:
#  - gcc  # [see issue 12]
