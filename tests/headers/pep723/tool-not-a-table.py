# /// script
# tool = 3
# ///

print("hello")
