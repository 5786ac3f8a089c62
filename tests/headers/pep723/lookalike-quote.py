# /// script
# dependencies = [“rich”]
# ///
print()
