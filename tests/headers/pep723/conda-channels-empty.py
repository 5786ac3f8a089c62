# /// script
# [tool.conda]
# channels = []
# ///

print("hello")
