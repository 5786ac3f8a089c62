# /// conda-script
# channels = ["conda-forge"]
# entrypoint = { unix = 3 }
# /// end-conda-script
