# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "ls [ab]"
# /// end-conda-script
