# /// script
# [tool.pixi.pypi-dependencies]
# mine = { path = ".", git = "https://example.org" }
# ///

print("hello")
