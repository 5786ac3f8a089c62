# /// conda-script
# channels = ["conda-forge"]
# entrypoint = { unix = "sh ${SCRIPT}" }
# /// end-conda-script
