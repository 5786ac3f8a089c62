# conda execute
# env:
#  - python
#  - pypi:rich
print()
