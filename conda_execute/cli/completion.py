"""Shell completion: scripts for bash, zsh and fish, written from the tables of what the commands take.

`script` gives the text that a shell evaluates. It completes `conda-execute` and `conda-tmpenv`, and the words after
`conda execute` and `conda tmpenv`, leaving all else of `conda` to whatever completed it before. Options stand before
the script; what follows it is the script's own, for which files are as good a guess as any.

Nothing is hidden in the scripts: what they offer is `Command`s and `Option`s, and those are read from the options'
table, the parsers and the help pages.
"""

from __future__ import annotations

import re

from ..lean.values import dataclass
from ..specs.platforms import KNOWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterable, Mapping, Sequence

SHELLS = ("bash", "zsh", "fish")

#: Words that a value may be, where they are few.
_WORDS = {
    "--backend": ("rattler", "conda"),
    "--completion": SHELLS,
    "--export": ("environment.yml", "explicit", "pixi.lock"),
    "--platform": tuple(sorted(KNOWN)),
}

#: What values are called that name files.
_FILES = frozenset(("FILE", "PATH"))


@dataclass(frozen=True)
class Option:
    #: Short ones first.
    names: tuple[str, ...]
    #: What the value is called; None: it takes none.
    value: str | None = None
    meaning: str = ""
    #: What the value may be, where that is known.
    words: tuple[str, ...] = ()
    repeatable: bool = False

    @property
    def is_file(self) -> bool:
        return self.value in _FILES


@dataclass(frozen=True)
class Command:
    name: str
    meaning: str
    options: tuple[Option, ...]
    #: Whether its words are names of environments, or scripts.
    environments: bool = False


def script(shell: str, options: Sequence[Option], commands: Sequence[Command]) -> str:
    """What the shell evaluates. `options` are those of `conda execute`, `commands` those of `conda tmpenv`."""
    write: dict[str, Callable[[Sequence[Option], Sequence[Command]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    return write[shell](options, commands)


# What there is ----------------------------------------------------------------------------------------------------


def options_of(table: Iterable[tuple[tuple[str, ...], str | None]], page: str) -> tuple[Option, ...]:
    """The options in a table of names and values (`...` behind those that may be repeated), as `page` explains them."""
    meanings = _meanings(page)
    return tuple(
        Option(
            names,
            value and value.removesuffix("..."),
            meanings.get(names[-1], ""),
            _WORDS.get(names[-1], ()),
            repeatable=value is not None and value.endswith("..."),
        )
        for names, value in table
    )


def commands_of(parsers: Mapping[str, ArgumentParser], page: str, known: Sequence[Option]) -> tuple[Command, ...]:
    """The commands that have these parsers. `known` options mean the same here, unless a parser says otherwise."""
    meanings = {name: option.meaning for option in known for name in option.names}
    summaries = _summaries(page)
    commands = []
    for name, parser in parsers.items():
        options = []
        for action in parser._actions:
            names = tuple(sorted(action.option_strings, key=len))
            if names:
                value = None if action.nargs == 0 else action.dest.upper()
                words = tuple(map(str, action.choices)) if action.choices else _WORDS.get(names[-1], ())
                meaning = action.help or meanings.get(names[-1], "")
                options.append(Option(names, value, meaning, words, repeatable=isinstance(action.default, list)))
        takes = {action.dest for action in parser._actions if not action.option_strings}
        commands.append(Command(name, summaries.get(name, ""), tuple(options), "wanted" in takes))
    return tuple(commands)


def _meanings(page: str) -> dict[str, str]:
    """What a help page says of each option, up to the first semicolon."""
    found: dict[str, str] = {}
    for names, text in re.findall(r"^  (-\S.*?)  +(.*(?:\n {10,}.*)*)", page, re.MULTILINE):
        meaning = " ".join(text.split()).partition("; ")[0].partition(": ")[0]
        found |= dict.fromkeys(re.findall(r"(?<![\w-])--?\w[\w-]*", names), meaning)
    return found


def _summaries(page: str) -> dict[str, str]:
    """What a help page says of each command: `keep X, release X` share a text, a part each."""
    found: dict[str, str] = {}
    for head, text in re.findall(r"^  (\w.*)\n((?: {8}.*\n)+)", page, re.MULTILINE):
        names = re.findall(r"(?:^|, )([a-z]+)", head)
        parts = re.split(r"[;:]\s*", " ".join(text.split()))
        found |= dict(zip(names, parts, strict=False))
    return found


def _valued(options: Iterable[Option]) -> list[Option]:
    return [option for option in options if option.value is not None]


def _fill(template: str, **parts: str) -> str:
    for name, text in parts.items():
        template = template.replace(f"@{name}@", text)
    return template


def _names(options: Iterable[Option]) -> str:
    return " ".join(name for option in options for name in option.names)


# bash -------------------------------------------------------------------------------------------------------------

_BASH = r"""
# Completion of conda-execute and conda-tmpenv for bash: eval "$(conda execute --completion bash)"

# Where the cursor is: sets _ce_at to the option whose value it is, else to `option` or `word`, and _ce_command to the
# first word. $1: where the words begin; $2: options with a value; $3: whether options end at the first word.
_conda_execute_look() {
  local index=$1 word
  _ce_at=option _ce_command='' _ce_current=${COMP_WORDS[COMP_CWORD]}
  [[ $_ce_current == '=' ]] && _ce_current=''
  while ((index < COMP_CWORD)); do
    word=${COMP_WORDS[index]}
    if [[ " $2 " == *" $word "* ]]; then
      [[ ${COMP_WORDS[index + 1]} == '=' ]] && ((index += 1)) # bash parts words there
      if ((index + 1 >= COMP_CWORD)); then
        _ce_at=$word
        return
      fi
      ((index += 2))
      continue
    elif [[ $word == - || $word != -* || ($3 && ($word == -c || $word == --)) ]]; then
      [[ $_ce_command ]] || _ce_command=$word
      [[ $3 ]] && _ce_at=word && return
    fi
    ((index += 1))
  done
}

_conda_execute_offer() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen "$@" -- "$_ce_current")
}

# Nothing, and no names of files either.
_conda_execute_nothing() {
  COMPREPLY=()
  compopt +o default +o bashdefault 2>/dev/null
}

_conda_execute_values() {
  case $1 in
@VALUES@
    *) _conda_execute_nothing ;;
  esac
}

_conda_execute() {
  local _ce_at _ce_command _ce_current
  COMPREPLY=()
  _conda_execute_look "${_ce_first:-1}" '@VALUED@' 1
  case $_ce_at in
    option) [[ $_ce_current == -* ]] && _conda_execute_offer -W '@OPTIONS@ -c' ;;
    word) ;;
    *) _conda_execute_values "$_ce_at" ;;
  esac
}

_conda_tmpenv_names() {
  conda-tmpenv list 2>/dev/null | sed -n 's/^\([0-9a-f]\{20\}[^ ]*\) .*/\1/p'
}

_conda_tmpenv() {
  local _ce_at _ce_command _ce_current options
  COMPREPLY=()
  _conda_execute_look "${_ce_first:-1}" '@TMPENV_VALUED@' ''
  if [[ $_ce_at != option ]]; then
    _conda_execute_values "$_ce_at"
    return
  fi
  case $_ce_command in
    '')
      _conda_execute_offer -W '@COMMANDS@ --help --version'
      return
      ;;
@TMPENV_OPTIONS@
  esac
  if [[ $_ce_current == -* ]]; then
    _conda_execute_offer -W "$options"
  else
    case $_ce_command in
      @ENVIRONMENTS@)
        [[ $_ce_current ]] || compopt +o default 2>/dev/null # many files would hide a few names
        _conda_execute_offer -W "$(_conda_tmpenv_names)"
        ;;
      *) _conda_execute_nothing ;;
    esac
  fi
}

# Words after `conda`: ours, or what completed them before.
_conda_execute_of_conda() {
  local _ce_first=2 _ce_current
  case $COMP_CWORD:${COMP_WORDS[1]} in
    1:*)
      [[ $_ce_before ]] && "$_ce_before" "$@"
      _ce_current=${COMP_WORDS[1]}
      local before=("${COMPREPLY[@]}")
      _conda_execute_offer -W 'execute tmpenv'
      COMPREPLY+=("${before[@]}")
      ;;
    *:execute) _conda_execute ;;
    *:tmpenv) _conda_tmpenv ;;
    *) [[ $_ce_before ]] && "$_ce_before" "$@" ;;
  esac
}

if [[ $(complete -p conda 2>/dev/null) =~ \ -F\ ([^ ]+)\  && ${BASH_REMATCH[1]} != _conda_execute_of_conda ]]; then
  _ce_before=${BASH_REMATCH[1]}
fi
complete -o default -o bashdefault -F _conda_execute conda-execute
complete -o default -o bashdefault -F _conda_tmpenv conda-tmpenv
complete -o default -o bashdefault -F _conda_execute_of_conda conda
"""


def _bash(options: Sequence[Option], commands: Sequence[Command]) -> str:
    every = [*options, *(option for command in commands for option in command.options)]
    words = {name: option.words for option in every for name in option.names if option.words}
    files = sorted({name for option in every if option.is_file for name in option.names})
    values = [f"    {name}) _conda_execute_offer -W '{' '.join(known)}' ;;" for name, known in words.items()]
    if files:
        values.append(f"    {' | '.join(files)}) COMPREPLY=() ;;")
    return _fill(
        _BASH.lstrip("\n"),
        VALUES="\n".join(values),
        VALUED=_names(_valued(options)),
        OPTIONS=_names(options),
        TMPENV_VALUED=" ".join(dict.fromkeys(_names(_valued(every[len(options) :])).split())),
        COMMANDS=" ".join(command.name for command in commands),
        TMPENV_OPTIONS="\n".join(f"    {command.name}) options='{_names(command.options)}' ;;" for command in commands),
        ENVIRONMENTS=" | ".join(command.name for command in commands if command.environments),
    )


# zsh --------------------------------------------------------------------------------------------------------------

_ZSH = r"""
#compdef conda-execute conda-tmpenv
# Completion of conda-execute and conda-tmpenv for zsh: eval "$(conda execute --completion zsh)" after compinit, or a
# file `_conda-execute` in a directory of fpath.

_conda_execute() {
  _arguments -s -S -A '-*' \
@OPTIONS@
    '-c[run these words, one line each]:*:code: ' \
    '1:script:_files' \
    '*:argument:_files'
}

_conda_tmpenv_names() {
  local -a names
  names=(${(f)"$(conda-tmpenv list 2>/dev/null | sed -n 's/^\([0-9a-f]\{20\}[^ ]*\) .*/\1/p')"})
  compadd -a names
  _files
}

_conda_tmpenv() {
  local line state
  local -a commands
  commands=(
@COMMANDS@
  )
  _arguments -S '(- *)'{-h,--help}'[this page]' '(- *)--version[the version]' '1: :->command' '*:: :->rest'
  case $state in
    command) _describe -t commands command commands ;;
    rest)
      case $line[1] in
@TMPENV_OPTIONS@
      esac
      ;;
  esac
}

# Words after `conda`: ours, or what completed them before.
_conda_execute_of_conda() {
  if (( CURRENT > 2 )) && [[ $words[2] == (execute|tmpenv) ]]; then
    local name=$words[2]
    shift words
    (( CURRENT-- ))
    _conda_$name
    return
  fi
  local -a ours
  ours=('execute:run a script in the environment that it asks for' 'tmpenv:look after these environments')
  (( CURRENT == 2 )) && _describe -t commands command ours
  [[ -z $_conda_execute_before ]] || $_conda_execute_before "$@"
}

if [[ $funcstack[1] == _conda-execute ]]; then
  case $service in
    conda-tmpenv) _conda_tmpenv "$@" ;;
    *) _conda_execute "$@" ;;
  esac
elif (( $+functions[compdef] )); then
  [[ ${_comps[conda]-} == _conda_execute_of_conda ]] || typeset -g _conda_execute_before=${_comps[conda]-}
  compdef _conda_execute conda-execute
  compdef _conda_tmpenv conda-tmpenv
  compdef _conda_execute_of_conda conda
fi
"""


def _zsh(options: Sequence[Option], commands: Sequence[Command]) -> str:
    return _fill(
        _ZSH.lstrip("\n"),
        OPTIONS="\n".join(f"    {_zsh_option(option)} \\" for option in options),
        COMMANDS="\n".join(f"    '{command.name}:{_zsh_text(command.meaning)}'" for command in commands),
        TMPENV_OPTIONS="\n".join(_zsh_command(command) for command in commands),
    )


def _zsh_command(command: Command) -> str:
    lines = [f"        {command.name})", "          _arguments -s -S \\"]
    lines += [f"            {_zsh_option(option)} \\" for option in command.options]
    rest = "'*:environment or script:_conda_tmpenv_names'" if command.environments else "'*:spec: '"
    return "\n".join([*lines, f"            {rest}", "          ;;"])


def _zsh_option(option: Option) -> str:
    """One option as `_arguments` takes it: `'(-q --quiet)'{-q,--quiet}'[errors only]'`."""
    value = ""
    if option.value is not None:
        action = f"({' '.join(option.words)})" if option.words else "_files" if option.is_file else " "
        value = f":{option.value}:{action}"
    excluded = "*" if option.repeatable else f"({' '.join(option.names)})"
    names = [name + ("=" if option.value is not None and name.startswith("--") else "") for name in option.names]
    # Braces, outside of the quotes, are expanded by the shell: one word for each name.
    written = names[0] if len(names) == 1 else f"'{{{','.join(names)}}}'"
    return f"'{excluded}{written}[{_zsh_text(option.meaning)}]{value}'"


def _zsh_text(text: str) -> str:
    return re.sub(r"([\[\]:\\])", r"\\\1", text).replace("'", "'\\''")


# fish -------------------------------------------------------------------------------------------------------------

_FISH = r"""
# Completion of conda-execute and conda-tmpenv for fish: conda execute --completion fish | source

# The words after the program `conda-NAME`, or after `conda NAME`; fails for another command line.
function __conda_execute_words --argument-names name
    set -l words (commandline -opc)
    set -l program (basename -- $words[1])
    if test "$program" = conda; and test "$words[2]" = $name
        set -e words[1]
    else if test "$program" != conda-$name
        return 1
    end
    set -e words[1]
    set -q words[1]; and printf '%s\n' $words
    return 0
end

function __conda_execute_before_script
    set -l words (__conda_execute_words execute); or return
    set -l is_value no
    for word in $words
        if test $is_value = yes
            set is_value no
        else if contains -- $word @VALUED@
            set is_value yes
        else if test "$word" = -c; or test "$word" = --; or test "$word" = -; or not string match -q -- '-*' $word
            return 1
        end
    end
end

# The command of conda-tmpenv that has been written, which is nothing at first.
function __conda_tmpenv_command
    set -l words (__conda_execute_words tmpenv); or return
    string match -v -- '-*' $words | head -n 1
    return 0
end

function __conda_tmpenv_is
    set -l command (__conda_tmpenv_command); or return
    contains -- "$command" $argv
end

function __conda_tmpenv_names
    conda-tmpenv list 2>/dev/null | string replace -rf '^([0-9a-f]{20}\S*) .*' '$1'
end

function __conda_execute_is_conda_alone
    test (count (commandline -opc)) = 1
end

complete -c conda -n __conda_execute_is_conda_alone -a execute -d 'run a script in the environment that it asks for'
complete -c conda -n __conda_execute_is_conda_alone -a tmpenv -d 'look after these environments'
for program in conda-execute conda
    complete -c $program -n __conda_execute_before_script -s c -d 'run these words, one line each'
@OPTIONS@
end
for program in conda-tmpenv conda
@COMMANDS@
@TMPENV_OPTIONS@
end
"""


def _fish(options: Sequence[Option], commands: Sequence[Command]) -> str:
    start = "    complete -c $program -n"
    of_commands = []
    for command in commands:
        condition = f"'__conda_tmpenv_is {command.name}'"
        names = " -a '(__conda_tmpenv_names)'" if command.environments else " -f"
        of_commands.append(f"{start} {condition}{names}")
        of_commands += [f"{start} {condition} {_fish_option(option)}" for option in command.options]
    return _fill(
        _FISH.lstrip("\n"),
        VALUED=_names(_valued(options)),
        OPTIONS="\n".join(f"{start} __conda_execute_before_script {_fish_option(option)}" for option in options),
        COMMANDS="\n".join(
            f"{start} \"__conda_tmpenv_is ''\" -f -a {command.name} -d {_fish_text(command.meaning)}"
            for command in commands
        ),
        TMPENV_OPTIONS="\n".join(of_commands),
    )


def _fish_option(option: Option) -> str:
    words = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    if option.value is not None:
        words.append("-rF" if option.is_file else "-x")
    if option.words:
        words.append(f"-a '{' '.join(option.words)}'")
    return " ".join([*words, f"-d {_fish_text(option.meaning)}"])


def _fish_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
