# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib.version = "1.*"
# zlib.channel = "bioconda"
# /// end-conda-script
