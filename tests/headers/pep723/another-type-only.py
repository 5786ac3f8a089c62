# /// pyproject
# requires-python = ">=3.11"
# ///
