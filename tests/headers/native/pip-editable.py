# conda execute
# env:
#  - python
#  - pip:
#     - -e ./lib
