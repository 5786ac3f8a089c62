# /// script
# [tool.pixi.system-requirements]
# cuda = "12"
# ///

print("hello")
