# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "echo 5$"
# /// end-conda-script
