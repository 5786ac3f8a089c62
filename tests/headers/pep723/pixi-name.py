# /// script
# [tool.pixi.dependencies]
# "num py" = "*"
# ///

print("hello")
