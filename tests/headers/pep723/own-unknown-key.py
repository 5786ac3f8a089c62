# /// script
# [tool.conda-execute]
# renew = 3
# ///
