# conda execute
# env:
#  - python

WANTED = """
# /// script
"""
