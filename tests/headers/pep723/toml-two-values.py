# /// script
# requires-python = ">=3" ">=4"
# ///

print("hello")
