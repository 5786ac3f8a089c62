# /// script
# dependencies = ["rich"]
# ///
