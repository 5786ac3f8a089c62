# /// conda-script
# channels = ["conda-forge"]
# entrypoint = """awk '{ print $1 | "sort" }' ${SCRIPT}"""
# /// end-conda-script
