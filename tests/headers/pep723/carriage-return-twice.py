# /// script
# dependencies = ["rich"]
# tool.conda = 3
# ///
