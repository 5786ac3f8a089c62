# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "echo $()"
# /// end-conda-script
