# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# /// end-conda-script

WANTED = """
# /// conda-script
"""
