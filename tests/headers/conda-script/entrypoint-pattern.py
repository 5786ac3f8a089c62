# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "ls *.py"
# /// end-conda-script
