# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib = { version = "*", extras = ["a", "b"], flags = ["cuda", "blas:*"] }
# /// end-conda-script
