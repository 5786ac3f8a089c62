# /// script
# requires-python = ">=3.11"
# [tool.conda]
# dependencies = ["conda-forge::Python 3.12.*", "numpy"]
# ///

print("hello")
