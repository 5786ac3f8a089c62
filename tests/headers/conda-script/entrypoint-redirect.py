# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "a > b"
# /// end-conda-script
