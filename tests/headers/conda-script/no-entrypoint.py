# /// conda-script
# channels = ["conda-forge"]
# /// end-conda-script
