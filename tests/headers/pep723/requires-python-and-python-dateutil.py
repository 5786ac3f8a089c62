# /// script
# requires-python = ">=3.11"
# [tool.conda]
# dependencies = ["python-dateutil", "python_abi"]
# ///

print("hello")
