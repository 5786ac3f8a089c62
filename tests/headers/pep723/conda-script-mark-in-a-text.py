"""Writes headers such as

    # /// conda-script
"""
# /// script
# dependencies = ["rich"]
# ///
