# /// other
# /// script
# dependencies = ["rich"]
# ///
