# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib = { build-number = "three" }
# /// end-conda-script
