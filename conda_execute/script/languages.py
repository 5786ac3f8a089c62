"""Everything about each language, in one row and nowhere else.

To add a language, add its row. The row gives the suffixes its meaning, `--init` its header, a shebang or `run_with` the
package to look for, and a script without a header the comment sign of the sample in its error.
"""

from __future__ import annotations

import os

from ..errors import HeaderError, Location
from ..lean.values import dataclass


@dataclass(frozen=True)
class Language:
    suffixes: tuple[str, ...]
    #: The words before the script's path, as users of the language type them.
    command: tuple[str, ...] = ()
    #: The conda package that `--init` asks for.
    package: str = ""
    #: The programs in this package.
    programs: tuple[str, ...] = ()
    #: The comment sign.
    comment: str = "#"
    #: Other comment signs.
    also: str = ""
    #: For compiled languages: the `entrypoint` of a conda-script header.
    entrypoint: str = ""
    #: Whether systems provide the command, and scripts may mean that one.
    of_system: bool = False
    #: Where the package is, if conda-forge does not have it.
    channels: tuple[str, ...] = ()


def _compiled(suffixes: tuple[str, ...], package: str, compiler: str, comment: str) -> Language:
    command = f"{compiler} -o ${{CACHE}}/main ${{SCRIPT}} && ${{CACHE}}/main"
    return Language(suffixes, (), package, (compiler,), comment, entrypoint=command)


LANGUAGES = (
    Language((".awk",), ("awk", "-f"), "gawk", ("awk", "gawk"), of_system=True),
    Language((".bash",), ("bash",), "bash", ("bash",), of_system=True),
    Language((".bat", ".cmd"), comment="REM"),
    Language((".clj",), ("clojure",), "clojure", ("clojure", "clj"), ";"),
    Language((".ex", ".exs"), ("elixir",), "elixir", ("elixir", "iex", "mix")),
    Language((".fish",), ("fish",), "fish", ("fish",), of_system=True),
    Language((".go",), ("go", "run"), "go", ("go",), "//"),
    Language((".groovy",), ("groovy",), "groovy", ("groovy",), "//"),
    Language((".hs",), ("runghc",), "ghc", ("runghc", "runhaskell", "ghc"), "--"),
    Language((".ipynb",), ("jupyter", "execute")),
    Language((".java",), ("java",), "openjdk", ("java", "javac", "jshell"), "//"),
    Language((".jl",), ("julia",), "julia", ("julia",)),
    Language((".js", ".mjs", ".cjs"), ("node",), "nodejs", ("node", "npm", "npx"), "//"),
    Language((".kts",), ("kotlin",), "kotlin", ("kotlin",), "//"),
    Language((".lisp",), ("sbcl", "--script"), "sbcl", ("sbcl",), ";"),
    Language((".lua",), ("lua",), "lua", ("lua",), "--"),
    Language((".m",), ("octave",), "octave", ("octave",), "%", "#"),
    Language((".nf",), ("nextflow", "run"), "nextflow", ("nextflow",), "//", channels=("conda-forge", "bioconda")),
    Language((".nu",), ("nu",), "nushell", ("nu",)),
    Language((".php",), ("php",), "php", ("php",), "//", "#"),
    Language((".pl",), ("perl",), "perl", ("perl",), of_system=True),
    Language((".ps1",), ("pwsh", "-File"), "powershell", ("pwsh",)),
    Language((".py", ".pyw"), ("python",), "python", ("python", "python3")),
    Language((".r",), ("Rscript",), "r-base", ("Rscript", "R")),
    Language((".rb",), ("ruby",), "ruby", ("ruby",)),
    Language((".scm",), ("guile", "-s"), "guile", ("guile",), ";"),
    # The package bash has no `sh`: that is the system's, and so is bash.
    Language((".sh",), ("sh",), "bash", of_system=True),
    Language((".tcl",), ("tclsh",), "tk", ("tclsh", "wish")),
    Language((".tex", ".sty"), ("tectonic",), "tectonic", ("tectonic",), "%"),
    Language((".ts",), ("deno", "run"), "deno", ("deno",), "//"),
    Language((".zsh",), ("zsh",), "zsh", ("zsh",), of_system=True),
    _compiled((".c",), "gcc", "gcc", "//"),
    _compiled((".cc", ".cpp"), "gxx", "g++", "//"),
    _compiled((".f90",), "gfortran", "gfortran", "!"),
    _compiled((".rs",), "rust", "rustc", "//"),
    # Channels have tools for these languages, but there is no single way to run them.
    Language((".h", ".cxx", ".cs", ".fs", ".zig", ".proto", ".v", ".d"), comment="//"),
    Language((".sql",), comment="--"),
    Language((".el", ".rkt", ".asm"), comment=";"),
    Language((".erl", ".pro", ".ps"), comment="%"),
    Language((".f", ".f95", ".f03", ".f08"), comment="!"),
    Language((".vim",), comment='"'),
)

BY_SUFFIX = {suffix: language for language in LANGUAGES for suffix in language.suffixes}
BY_PROGRAM = {program: language for language in LANGUAGES for program in language.programs}


def of(path: str) -> Language | None:
    """The language for the suffix of a path."""
    return BY_SUFFIX.get(os.path.splitext(path)[1].lower())


def of_shebang(line: str) -> Language | None:
    """The language of the first known program in a script's first line."""
    words = line[2:].split() if line.startswith("#!") else ()
    names = (os.path.basename(word) for word in words)
    return next((found for name in names if (found := by_program(name))), None)


def by_program(name: str) -> Language | None:
    """The language of a program: `python3.12` is `python`, and `sh` is that of shell scripts."""
    name = os.path.basename(name)
    plain = name.rstrip("0123456789.")
    return BY_PROGRAM.get(name) or BY_PROGRAM.get(plain) or (BY_SUFFIX[".sh"] if name == "sh" else None)


def is_of_packages(program: str) -> bool:
    """Whether this is an interpreter from a package, and not a tool of the system."""
    language = by_program(program)
    return language is not None and bool(language.command) and not language.of_system


def package_of(program: str) -> str:
    """The conda package of a program: the one of its language, else the one with its name."""
    language = BY_PROGRAM.get(program)
    return language.package if language else program


def comment_sign(path: str, first_line: str = "") -> str:
    """The comment sign of a script, by its suffix, or by its shebang if it has none."""
    language = of(path)
    if language is None and not os.path.splitext(path)[1]:
        language = of_shebang(first_line)
    return language.comment if language else "#"


#: What opens a comment or string of several lines: a header needs lines of its own in it.
BLOCK_SIGNS = ("/*", "(*", "{-", "{*", "<!--", "<#", "#|", "#=", "#[", "--[", "%{", "%%{", '"""', "'''")


def require_comment(path: str, head: bytes, first: int, where: Location) -> None:
    """Raise HeaderError for a header, from line `first` on, that is not a comment to what runs the script."""
    lines = head.decode("utf-8", "replace").split("\n", first)
    language = of_shebang(lines[0]) or of(path)
    opening = lines[first - 1].lstrip("\ufeff \t")
    # Compiled languages need `run_with` anyway; with `#`, a shell would try to run the file.
    if language is None or not (language.command or (language.entrypoint and opening.startswith("#"))):
        return
    signs = tuple(filter(None, (language.comment, language.also)))
    if opening.startswith(signs) or any(sign in line for sign in BLOCK_SIGNS for line in lines[:first]):
        return
    name = os.path.splitext(path)[1] or f"`{language.programs[0]}`"
    raise HeaderError(
        f"this header is not a comment: in a {name} script, comments start with `{language.comment}`",
        where=where,
        hint=f"begin each line of the header with `{language.comment}`, as in `{language.comment} conda execute`",
    )
