#!/usr/bin/env conda-execute
# Show a source file in colours, with a tool that only this script's environment has.
# shellcheck shell=sh

# conda execute
# env:
#  - pygments
# run_with: sh

exec pygmentize -f terminal "${1:-$0}"
