C conda execute
C env:
C  - gfortran
C C a note
CALL NOTHING()
