# conda execute
# evn:
#  - python
