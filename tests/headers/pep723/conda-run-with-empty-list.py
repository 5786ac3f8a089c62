# /// script
# [tool.conda]
# run-with = []
# ///

print("hello")
