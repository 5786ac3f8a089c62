# /// script
# [tool.conda]
# dependencies = ["pypi:rich"]
# ///
print()
