#!/usr/bin/env -S conda-execute
# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "python ${SCRIPT}"
#
# [dependencies]
# python = "3.12.*"
# numpy = "*"
# /// end-conda-script
print()
