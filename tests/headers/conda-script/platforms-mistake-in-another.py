# /// conda-script
# channels = ["conda-forge"]
# entrypoint = { unix = "sh ${SCRIPT}", win = "cmd /c a | b" }
# /// end-conda-script
