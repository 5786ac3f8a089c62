# /// script
# [tool.pixi.pypi-dependencies]
# mine = { version = "*", rev = "a" }
# ///

print("hello")
