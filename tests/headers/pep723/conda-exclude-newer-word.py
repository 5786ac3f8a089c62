# /// script
# [tool.conda]
# exclude-newer = "last week"
# ///

print("hello")
