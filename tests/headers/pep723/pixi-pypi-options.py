# /// script
# [tool.pixi.workspace]
# pypi-options = { index-url = "https://example.org" }
# ///

print("hello")
