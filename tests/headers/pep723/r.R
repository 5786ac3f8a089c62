# /// script
# dependencies = [
#   "jsonlite",
#   "dplyr >=1.1, <2",
#   "data.table@1.15.4",
#   "bioc::limma",
# ]
# [tool.pixi.pypi-dependencies]
# rich = "*"
# ///
library(jsonlite)
