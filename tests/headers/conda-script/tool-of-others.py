# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [tool.black]
# x = 1
# [tool.conda]
# dependencies = 3
# /// end-conda-script
