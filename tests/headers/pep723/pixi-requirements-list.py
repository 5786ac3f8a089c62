# /// script
# [tool.pixi]
# pypi-dependencies = ["rich"]
# ///

print("hello")
