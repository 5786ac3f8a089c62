# /// script
# [tool.pixi.tasks]
# start = "python x.py"
# ///

print("hello")
