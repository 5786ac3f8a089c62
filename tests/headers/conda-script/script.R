#!/usr/bin/env conda-execute
# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "Rscript ${SCRIPT}"
# [dependencies]
# r-base = "*"
# /// end-conda-script
