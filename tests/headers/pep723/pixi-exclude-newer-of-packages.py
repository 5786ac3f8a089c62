# /// script
# [tool.pixi.exclude-newer]
# zlib = "0d"
# ///
