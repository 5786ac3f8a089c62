# /// script
# [tool.conda]
# env = ["numpy"]
# ///

print("hello")
