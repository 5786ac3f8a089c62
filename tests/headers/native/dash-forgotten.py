# conda execute
# env:
#  - python
#    numpy >=2
