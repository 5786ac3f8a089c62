# /// script
# dependencies = ["rich"]
# [tool.uv]
# index = ["https://example.org"]
# ///
