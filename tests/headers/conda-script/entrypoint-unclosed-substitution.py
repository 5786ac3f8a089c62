# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "echo $(a"
# /// end-conda-script
