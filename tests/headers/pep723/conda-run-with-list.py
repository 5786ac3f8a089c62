# /// script
# [tool.conda]
# run-with = ["python", "-W", "error::DeprecationWarning", ""]
# ///

print("hello")
