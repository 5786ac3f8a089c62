# conda execute
# env: python
#  numpy
# run_with: python
