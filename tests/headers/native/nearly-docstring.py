"""conda execute
env:
 - python
"""
