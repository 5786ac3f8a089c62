# /// conda-script
# channels = ["conda-forge"]
# entrypoint = 'echo "`date`"'
# /// end-conda-script
