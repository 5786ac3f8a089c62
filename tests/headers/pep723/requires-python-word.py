# /// script
# requires-python = ">=three"
# ///

print("hello")
