# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [tool.pixi.workspace]
# channels = ["bioconda"]
# /// end-conda-script
