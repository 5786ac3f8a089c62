# /// conda-script
# channels = ["conda-forge"]
# entrypoint = ["python"]
# /// end-conda-script
