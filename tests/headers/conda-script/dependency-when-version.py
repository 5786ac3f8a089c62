# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# a = { when = "python >=3.12" }
# /// end-conda-script
