# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "echo ${SCRIPT"
# /// end-conda-script
