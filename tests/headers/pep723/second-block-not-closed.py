# /// script
# dependencies = ["rich"]
# ///

WANTED = """
# /// script
"""
