# /// script
# [tool.conda.dependencies]
# numpy = "*"
# ///

print("hello")
