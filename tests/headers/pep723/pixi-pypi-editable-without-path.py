# /// script
# [tool.pixi.pypi-dependencies]
# mine = { version = ">=1", editable = true }
# ///
