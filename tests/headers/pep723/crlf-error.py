# /// script
#
# dependencies = [1]
# ///
