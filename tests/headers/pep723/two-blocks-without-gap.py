# /// script
# dependencies = ["rich"]
# ///
# /// script
# dependencies = ["requests"]
# ///
