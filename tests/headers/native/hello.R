#!/usr/bin/env Rscript
#' A documented function
# conda execute
# env:
#  - r-base >=4
cat("hello\n")
