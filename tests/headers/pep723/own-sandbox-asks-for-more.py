# /// script
# [tool.conda-execute]
# sandbox = { net = true }
# ///
