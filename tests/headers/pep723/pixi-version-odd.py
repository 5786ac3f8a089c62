# /// script
# [tool.pixi.dependencies]
# blas = ">=1.0[x]"
# ///

print("hello")
