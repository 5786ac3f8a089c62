# /// script
# [tool.pixi.target.linux]
# tasks = {}
# ///

print("hello")
