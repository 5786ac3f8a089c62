# /// script
# [tool.pixi.dependencies]
# Zlib = "*"
# zlib = "1.*"
# ///

print("hello")
