# /// script
# requires-python = ">=3.11"
# dependencies = ["rich"]
#
# [tool.conda]
# channels = ["conda-forge", "bioconda"]
# dependencies = ["numpy >=1.26", "samtools"]
# exclude-newer = "2026-03-31"
# run-with = "python -X dev"
# ///

print("hello")
