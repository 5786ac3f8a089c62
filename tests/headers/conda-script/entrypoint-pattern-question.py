# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "ls a?"
# /// end-conda-script
