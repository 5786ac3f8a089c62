# /// script
# requires-python = ">=3.11"
# dependencies = ["rich"]
#
# [tool.pixi.workspace]
# channels = ["conda-forge", { channel = "https://prefix.dev/bioconda" }]
# channel-priority = "disabled"
# exclude-newer = "2026-03-31"
# platforms = ["linux-64"]
# requires-pixi = ">=0.80"
# preview = ["pixi-build"]
# solve-strategy = "highest"
#
# [tool.pixi.dependencies]
# numpy = ">=1.26, <2"
# Zlib = "*"
# cuda-version = { version = "12.*", channel = "conda-forge" }
# blas = { version = "*", build = "*mkl*", build-number = ">=3" }
#
# [tool.pixi.pypi-dependencies]
# requests = ">=2"
# httpx = { version = "*", extras = ["http2", "socks"] }
# mine = { path = "./mine" }
# hers = { url = "https://example.org/hers-1.0-py3-none-any.whl" }
# theirs = { git = "https://example.org/theirs.git", tag = "v1", subdirectory = "python" }
# uvloop = { version = ">=0.19", env-markers = "sys_platform != 'win32'" }
#
# [tool.pixi.constraints]
# openssl = "<4"
#
# [tool.pixi.activation.env]
# MODE = "test"
# EMPTY = ""
#
# [tool.pixi.target.linux.dependencies]
# gcc = "*"
# numpy = "1.26.*"
#
# [tool.pixi.target.linux-64]
# dependencies = { mkl = "*", gcc = "14.*" }
# activation = { env = { MODE = "linux" } }
#
# [tool.pixi.target.win.pypi-dependencies]
# colorama = "*"
#
# [tool.pixi.target.unix.constraints]
# openssl = "<3.5"
# ///

print("hello")
