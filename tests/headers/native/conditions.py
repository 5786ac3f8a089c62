# conda execute
# env:
#  - python
#  - gcc  # [linux]
#  - clang  # [osx]
#  - vs2022  # [win]
#  - make # [unix]
#  - mkl  # [linux-64]
#  - accelerate  # [osx-arm64]
#  - readline  # [not win]
#  - both  # [linux or osx]
#  - intel  # [linux-64 or win-64]
#  - pip: [uvloop]  # [not (win or osx)]
# run_with: python -u  # [unix]
# run_with: python.exe  # [win]
