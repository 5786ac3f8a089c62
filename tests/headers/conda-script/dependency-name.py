# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# "zlib >=1" = "*"
# /// end-conda-script
