# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "A=b python"
# /// end-conda-script
