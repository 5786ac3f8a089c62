# conda execute
# env:
#  - python >=3.10,<4
#  - conda-forge::numpy
#  - mkl[build=h123_0]
#  - pip:
#     - rich >=13
#     - "httpx[http2] ; python_version < '3.13'"
# channels:
#  - conda-forge
#  - bioconda
# run_with: python -X 'utf8' -W "error::DeprecationWarning"
# exclude-newer: 2026-03-31
# quiet: yes
