# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# requires-python = ">=3"
# /// end-conda-script
