# /// script
# python_requires = ">=3.10"
# ///

print("hello")
