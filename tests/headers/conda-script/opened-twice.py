# /// conda-script
# channels = ["conda-forge"]
# /// conda-script
# /// end-conda-script
