# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib = { url = "https://example.org/zlib.tar.gz" }
# /// end-conda-script
