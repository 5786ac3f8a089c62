# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# zlib = { md5 = "123" }
# /// end-conda-script
