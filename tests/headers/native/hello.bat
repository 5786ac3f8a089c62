@echo off
REM conda execute
REM env:
REM  - python
REM REM a note
REMARK
