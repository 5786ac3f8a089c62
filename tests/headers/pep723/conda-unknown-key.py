# /// script
# [tool.conda]
# dependancies = ["numpy"]
# ///

print("hello")
