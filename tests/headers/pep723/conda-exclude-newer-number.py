# /// script
# [tool.conda]
# exclude-newer = 7
# ///

print("hello")
