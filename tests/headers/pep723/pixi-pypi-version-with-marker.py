# /// script
# [tool.pixi.pypi-dependencies]
# rich = ">=13; python_version < '3.12'"
# ///

print("hello")
