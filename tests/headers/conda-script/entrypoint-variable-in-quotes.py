# /// conda-script
# channels = ["conda-forge"]
# entrypoint = 'echo "$HOME"'
# /// end-conda-script
