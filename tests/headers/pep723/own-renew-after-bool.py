# /// script
# [tool.conda-execute]
# renew-after = true
# ///
