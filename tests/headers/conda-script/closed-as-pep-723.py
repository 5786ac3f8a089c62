# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# ///

print()
