# conda execute
# env:
#  - gcc  # [py36]
