# /// script
# dependencies = []
# colour = "red"
# ///

print("hello")
