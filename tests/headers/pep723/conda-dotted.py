# /// script
# tool.conda.dependencies = ["numpy"]
# tool.conda.channels = ["conda-forge"]
# ///

print("hello")
