# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
#
# [dependencies]
# python = "*"
# /// end-conda-script
