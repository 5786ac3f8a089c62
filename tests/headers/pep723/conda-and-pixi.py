# /// script
# [tool.conda]
# dependencies = ["numpy"]
# [tool.pixi.dependencies]
# scipy = "*"
# ///

print("hello")
