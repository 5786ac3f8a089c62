# /// script
# [tool.conda]
# dependencies = ["pytorch"]
# system = { cuda = "12.4", glibc = "2.28" }
# ///
