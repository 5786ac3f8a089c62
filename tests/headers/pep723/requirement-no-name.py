# /// script
# dependencies = [">=13"]
# ///

print("hello")
