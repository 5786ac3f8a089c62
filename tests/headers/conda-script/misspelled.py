# /// conda_script
# channels = ["conda-forge"]
# /// end-conda-script
