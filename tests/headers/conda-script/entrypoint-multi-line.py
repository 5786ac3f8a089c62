# /// conda-script
# channels = ["conda-forge"]
# entrypoint = """
# a &&
#  b ${SCRIPT}
# """
# /// end-conda-script
