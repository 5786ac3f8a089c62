# /// script
# [tool.conda]
# exclude-newer = 2026-03-31
# ///

print("hello")
