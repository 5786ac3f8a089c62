# /// script
# [tool.pixi.workspace]
# channels = [3]
# ///

print("hello")
