# /// script
# requires-python = ">=3.12"
# ///
