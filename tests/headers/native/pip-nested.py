# conda execute
# env:
#  - python
#  - pip:
#    - rich: 1
