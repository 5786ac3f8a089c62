# /// script
# requires-python = latest
# ///

print("hello")
