# /// conda-script
# channels = ["conda-forge"]
# entrypoint = '''sh -c "echo ${SCRIPT} $(uname -s) *" ${CACHE}/"a b"'''
# /// end-conda-script
