# /// conda-script
# channels = ["conda-forge"]
# entrypoint = '''C:\a\b "c\d" ${SCRIPT}'''
# /// end-conda-script
