# /// script
# [tool.pixi.pypi-dependencies]
# torch = { version = "*", index = "https://example.org/simple" }
# ///

print("hello")
