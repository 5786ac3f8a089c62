# /// script
# [tool.conda]
# channels = ["a"]
# [tool.conda]
# dependencies = []
# ///

print("hello")
