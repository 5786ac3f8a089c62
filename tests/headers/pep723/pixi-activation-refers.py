# /// script
# [tool.pixi.activation.env]
# HERE = "$CONDA_PREFIX/share"
# ///

print("hello")
