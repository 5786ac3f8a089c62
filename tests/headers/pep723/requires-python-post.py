# /// script
# requires-python = "<3.9.post1"
# ///

print("hello")
