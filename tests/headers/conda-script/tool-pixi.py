# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# numpy = ">=1"
# [tool.pixi.dependencies]
# numpy = "<2"
# zlib = "*"
# [tool.pixi.pypi-dependencies]
# rich = ">=13"
# /// end-conda-script
