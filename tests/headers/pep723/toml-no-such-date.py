# /// script
# [tool.x]
# a = 2026-13-01
# ///

print("hello")
