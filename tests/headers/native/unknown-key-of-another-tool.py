# conda execute
# name: plot
# dependencies:
#  - python
