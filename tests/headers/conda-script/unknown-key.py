# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependancies]
# python = "*"
# /// end-conda-script
