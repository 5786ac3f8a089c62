# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# a = { when = "(__unix" }
# /// end-conda-script
