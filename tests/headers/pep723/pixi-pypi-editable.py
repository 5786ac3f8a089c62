# /// script
# [tool.pixi.pypi-dependencies]
# mine = { path = ".", editable = true }
# ///

print("hello")
