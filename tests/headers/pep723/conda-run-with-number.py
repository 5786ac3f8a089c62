# /// script
# [tool.conda]
# run-with = 3
# ///

print("hello")
