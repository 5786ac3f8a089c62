# /// script
# [tool.pixi.activation.env]
# "A B" = "c"
# ///

print("hello")
