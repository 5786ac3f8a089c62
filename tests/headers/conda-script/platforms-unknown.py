# /// conda-script
# channels = ["conda-forge"]
# entrypoint = { macos = "sh ${SCRIPT}" }
# /// end-conda-script
