# /// script
# [tool.pixi.workspace]
# solve-strategy = "lowst"
# ///
