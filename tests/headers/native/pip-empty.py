# conda execute
# env:
#  - python
#  - pip:
