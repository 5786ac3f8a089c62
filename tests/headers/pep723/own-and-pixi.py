# /// script
# [tool.conda-execute]
# sandbox = true
# [tool.pixi.dependencies]
# numpy = "*"
# ///
