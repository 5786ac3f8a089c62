# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "echo $(a && b)"
# /// end-conda-script
