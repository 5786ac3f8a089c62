# conda execute
# env:
#  - "漢字 宽é" # [linx]
