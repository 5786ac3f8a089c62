# /// script
# dependencies = ["rich"]
# [tool.uv]
# sources = ["rich"]
# ///
