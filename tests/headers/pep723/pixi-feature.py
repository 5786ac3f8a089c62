# /// script
# [tool.pixi.feature.test.dependencies]
# pytest = "*"
# ///

print("hello")
