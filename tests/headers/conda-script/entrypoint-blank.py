# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "  "
# /// end-conda-script
