# /// script
# tool.conda = { dependencies = ["ä ☃", 3] }
# ///

print("hello")
