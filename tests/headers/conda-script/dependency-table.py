# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
#
# [dependencies.zlib]
# version = "1.*"
# channel = "bioconda"
# /// end-conda-script
