# conda execute
# env
#  - python
