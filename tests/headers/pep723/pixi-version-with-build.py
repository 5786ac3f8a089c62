# /// script
# [tool.pixi.dependencies]
# blas = "1.0 mkl"
# ///

print("hello")
