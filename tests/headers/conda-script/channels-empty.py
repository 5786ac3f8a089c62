# /// conda-script
# channels = []
# entrypoint = "python ${SCRIPT}"
# /// end-conda-script
