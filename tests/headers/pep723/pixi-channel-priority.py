# /// script
# [tool.pixi.workspace]
# channel-priority = "strikt"
# ///

print("hello")
