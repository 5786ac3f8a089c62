# /// script
# dependencies = ["rich"]
#
# [tool.conda]
# dependencies = ["numpy >=1.26"]
# ///
