# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# a = { when = { any = ["__win", "__osx"] } }
# b = { when = { all = ["__unix", { any = ["__linux"] }] } }
# /// end-conda-script
