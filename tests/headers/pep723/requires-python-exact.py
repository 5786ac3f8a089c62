# /// script
# requires-python = "==3.11.4"
# ///

print("hello")
