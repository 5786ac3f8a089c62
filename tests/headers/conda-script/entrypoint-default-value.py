# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "echo ${SCRIPT:-x}"
# /// end-conda-script
