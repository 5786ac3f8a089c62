#!/usr/bin/env python
"""
What it does.
"""
# /// script
# dependencies = ["rich"]
# ///
# more words
import rich
