# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
# [dependencies]
# a = { version = "*", when = "__unix" }
# b = { version = "1.*", when = "__linux and not __osx" }
# c = { when = "__win or __osx" }
# d = { when = "not (__win or __osx)" }
# /// end-conda-script
