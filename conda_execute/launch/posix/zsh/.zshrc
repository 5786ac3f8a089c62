# What an interactive zsh of `conda execute --shell` reads: the person's own startup file, and after it the environment,
# which that file may have put behind other things.

if [[ -n $_CONDA_EXECUTE_ZDOTDIR ]]; then ZDOTDIR=$_CONDA_EXECUTE_ZDOTDIR; else unset ZDOTDIR; fi
# Some systems choose the history's place before this file is read.
[[ $HISTFILE == $_conda_execute/* ]] && HISTFILE=${ZDOTDIR:-$HOME}/${HISTFILE:t}
unset _CONDA_EXECUTE_ZDOTDIR _conda_execute
[[ -f ${ZDOTDIR:-$HOME}/.zshrc ]] && . ${ZDOTDIR:-$HOME}/.zshrc
# PREFIX is the environment: activation sets it, and no startup file has a reason to.
export CONDA_PREFIX=$PREFIX CONDA_DEFAULT_ENV=$PREFIX PATH=$PREFIX/bin:$PATH
PS1="($_CONDA_EXECUTE_PROMPT) $PS1"
unset _CONDA_EXECUTE_PROMPT
rehash
