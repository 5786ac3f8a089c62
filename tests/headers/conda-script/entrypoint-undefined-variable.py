# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${HOME}"
# /// end-conda-script
