# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib = { url = "https://example.org/linux-64/zlib-1.3.1-h_0.conda", version = "1" }
# /// end-conda-script
