# conda execute
# - python
# - numpy
