# /// script
# [tool.uv]
# exclude-newer = 2026-01-01T00:00:00Z
# ///

print("hello")
