# conda execute
# env:
#  - gcc  # [linxu]
