# conda execute
# env:
#  - python
#  - tomli[when="python <3.11"]
