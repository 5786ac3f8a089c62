# conda execute
# env:
#  - python
#  - pip:  # [linux]
#     - rich
