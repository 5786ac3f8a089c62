# conda execute
# env:
#  python
#  numpy
