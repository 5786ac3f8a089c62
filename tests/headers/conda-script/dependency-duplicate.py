# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# PyYAML = "*"
# pyyaml = "6.*"
# /// end-conda-script
