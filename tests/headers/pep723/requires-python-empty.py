# /// script
# requires-python = ""
# ///

print("hello")
