# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "echo x$(a)y"
# /// end-conda-script
