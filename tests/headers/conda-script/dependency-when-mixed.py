# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# python = "*"
# a = { version = ">=1", when = "__cuda and python >=3.12,<4" }
# b = { when = { all = ["__unix", "python >=3.12", { any = ["__win", "numpy"] }] } }
# c = { when = { any = ["__unix", "python >=3.12"] } }
# /// end-conda-script
