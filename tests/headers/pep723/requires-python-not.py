# /// script
# requires-python = ">=3.9,!=3.10.*,!=3.11.0"
# ///

print("hello")
