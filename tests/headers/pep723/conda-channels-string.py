# /// script
# [tool.conda]
# channels = "conda-forge"
# ///

print("hello")
