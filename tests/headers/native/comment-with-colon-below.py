# conda execute
# env:
#  - python
# Author: me
print(1)
