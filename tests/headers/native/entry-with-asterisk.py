# conda execute
# env:
#  * python

print(1)
