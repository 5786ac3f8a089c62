# /// script
# tool.conda = "numpy"
# ///

print("hello")
