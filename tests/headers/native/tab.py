# conda execute
# env:
#	- python
