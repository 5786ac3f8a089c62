# /// script
# dependencies = ["conda-forge::rich"]
# ///

print("hello")
