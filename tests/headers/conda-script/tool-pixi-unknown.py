# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [tool.pixi.tasks]
# a = "b"
# /// end-conda-script
