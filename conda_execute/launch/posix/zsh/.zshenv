# What a zsh of `conda execute --shell` reads first, in place of the person's own file, which it reads in turn. zsh looks
# for both files in ZDOTDIR; what that was stands in _CONDA_EXECUTE_ZDOTDIR, and the person's file may set it anew.

_conda_execute=$ZDOTDIR
if [[ -n $_CONDA_EXECUTE_ZDOTDIR ]]; then ZDOTDIR=$_CONDA_EXECUTE_ZDOTDIR; else unset ZDOTDIR; fi
[[ -f ${ZDOTDIR:-$HOME}/.zshenv ]] && . ${ZDOTDIR:-$HOME}/.zshenv
_CONDA_EXECUTE_ZDOTDIR=$ZDOTDIR ZDOTDIR=$_conda_execute
# The terminal of macOS keeps its sessions where ZDOTDIR leads to now.
SHELL_SESSIONS_DISABLE=1
