# /// script
# requires-python = "~=3.10.2"
# ///

print("hello")
