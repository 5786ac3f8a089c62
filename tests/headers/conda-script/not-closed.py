# /// conda-script
# channels = ["conda-forge"]
