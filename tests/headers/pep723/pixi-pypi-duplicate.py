# /// script
# [tool.pixi.pypi-dependencies]
# "zope.interface" = "*"
# zope_interface = "*"
# ///

print("hello")
