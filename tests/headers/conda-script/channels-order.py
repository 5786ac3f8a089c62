# /// conda-script
# channels = ["bioconda", "https://prefix.dev/conda-forge", "conda-forge"]
# entrypoint = "python ${SCRIPT}"
# /// end-conda-script
