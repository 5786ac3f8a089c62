# /// script
# dependencies = []
# [tool.conda-execute]
# renew-after = 0.5
# sandbox = { net = false, write = ["out"] }
# ///
