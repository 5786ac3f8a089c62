# /// script
# [tool.pixi.target.linx.dependencies]
# gcc = "*"
# ///

print("hello")
