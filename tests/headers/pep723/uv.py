# /// script
# dependencies = ["rich"]
# [tool.uv]
# exclude-newer = "2026-01-01T00:00:00Z"
# index-url = "https://example.org/simple"
# [tool.uv.sources]
# rich = { git = "https://example.org/rich" }
# [[tool.uv.index]]
# url = "https://example.org/b"
# name = "b"
# ///

print("hello")
