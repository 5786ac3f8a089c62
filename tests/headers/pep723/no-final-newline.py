# /// script
# dependencies = ["rich"]
# ///