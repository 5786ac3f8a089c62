# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python  -X dev ${SCRIPT}   a"
# /// end-conda-script
