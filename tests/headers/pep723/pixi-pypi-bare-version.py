# /// script
# [tool.pixi.pypi-dependencies]
# rich = "13"
# ///

print("hello")
