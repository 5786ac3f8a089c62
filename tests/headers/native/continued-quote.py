# conda execute
# env:
#  - "python
#    >=3"
