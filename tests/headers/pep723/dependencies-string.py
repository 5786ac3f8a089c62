# /// script
# dependencies = "rich"
# ///

print("hello")
