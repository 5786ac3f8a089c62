# /// script
# requires-python = "~=3"
# ///

print("hello")
