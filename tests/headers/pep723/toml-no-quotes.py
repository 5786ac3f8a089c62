# /// script
# requires-python = 3.11
# dependencies = [rich]
# ///

print("hello")
