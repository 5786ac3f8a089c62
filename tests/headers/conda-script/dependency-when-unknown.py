# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# a = { when = "__lunix" }
# /// end-conda-script
