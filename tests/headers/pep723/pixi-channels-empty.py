# /// script
# [tool.pixi.workspace]
# channels = []
# ///

print("hello")
