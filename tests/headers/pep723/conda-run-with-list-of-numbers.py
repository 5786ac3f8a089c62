# /// script
# [tool.conda]
# run-with = ["python", 3]
# ///

print("hello")
