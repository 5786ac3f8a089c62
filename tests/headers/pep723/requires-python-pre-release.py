# /// script
# requires-python = ">=3.13.0rc1"
# ///

print("hello")
