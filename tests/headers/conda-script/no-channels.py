# /// conda-script
# entrypoint = "python ${SCRIPT}"
# /// end-conda-script
