# /// script
# [tool.pixi.pypi-dependencies]
# mine = { path = ".", editable = "yes" }
# ///
