# /// script
# dependencies = ["rich=13"]
# ///

print("hello")
