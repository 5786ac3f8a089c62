# /// script
# [tool.pixi.workspace]
# solve-strategy = "lowest"
# ///

print("hello")
