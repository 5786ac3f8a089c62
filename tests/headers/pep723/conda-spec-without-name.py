# /// script
# [tool.conda]
# dependencies = [">=3"]
# ///

print("hello")
