# /// script
# requires-python = ">=3.10, <4"
# ///

print("hello")
