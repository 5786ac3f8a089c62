# /// script
# [tool.pixi.pypi-dependencies]
# mine = { path = ".", index = "https://example.org" }
# ///
