# /// script
# [tool.pixi.pypi-dependencies]
# mine = { git = "https://example.org", rev = "a", tag = "b" }
# ///

print("hello")
