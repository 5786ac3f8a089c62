# conda execute
# # about the environment
## and more about it: all of this [is] "skipped
# env:
#   # a note
#  - python  # a trailing note
#  ## another
#  - numpy
