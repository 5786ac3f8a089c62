# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "a &"
# /// end-conda-script
