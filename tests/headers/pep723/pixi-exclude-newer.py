# /// script
# [tool.pixi]
# exclude-newer = "7d"
# pypi-exclude-newer = "14 days"
# ///

print("hello")
