# /// script
# [tool.conda-execute]
# sandbox = { write = "out" }
# ///
