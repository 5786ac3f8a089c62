# /// script
# tool.uv = true
# ///

print("hello")
