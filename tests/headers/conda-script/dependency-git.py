# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib = { git = "https://example.org/zlib" }
# /// end-conda-script
