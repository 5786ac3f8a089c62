# /// conda-script
# channels = ["conda-forge"]
# entrypoint = 'echo $(echo $(echo "a b") "$(c)")'
# /// end-conda-script
