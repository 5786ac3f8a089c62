# /// script
# [tool.uv]
# ///

print("hello")
