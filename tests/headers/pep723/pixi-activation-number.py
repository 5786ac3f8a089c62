# /// script
# [tool.pixi.activation.env]
# A = 1
# ///

print("hello")
