# /// script
# [tool.pixi.dependencies]
# mine = { git = "https://example.org/mine.git" }
# ///

print("hello")
