# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "a && b c&&d"
# /// end-conda-script
