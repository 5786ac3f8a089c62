"""The forty mistakes that people make first: what is said of each, to the letter.

All of them are made in one process, since each says what it says whatever came before; `...` stands for anything.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from types import MappingProxyType

import pytest

from conda_execute.errors import ExecuteError, Location
from conda_execute.terminal.errors import render
from conda_execute.terminal.table import cells
from tests.channel.package import Package
from tests.conftest import CHECKOUT, World

#: Runs each list of words of standard input, and prints what each said and the status it would end with.
_RUN_EACH = """
import contextlib, io, json, os, sys
from conda_execute.cli import execute, tmpenv
said = []
mistakes = json.load(sys.stdin)
for program, words, files, variables in mistakes:
    for name, text in files.items():
        open(name, "w", errors="surrogateescape").write(text)
    before = {name: os.environ.get(name, "") for name in variables}
    os.environ.update(variables)
    sys.stdin = io.TextIOWrapper(io.BytesIO(b"print(1)\\n"))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        status = {"execute": execute, "tmpenv": tmpenv}[program].main(words)
    os.environ.update(before)
    said.append((status, errors.getvalue()))
print(json.dumps(said), flush=True)
os._exit(0)
"""

HEADER = "# conda execute\n# env:\n#  - {}\n# channels: ['{{url}}']\n"


Variables = Mapping[str, str]
#: The program, its words, the files it finds, its variables, its status, what it says.
Mistake = tuple[str, list[str], dict[str, str], Variables, int, str]


def spec(written: str, problem: str, hint: str) -> Mistake:
    """A header with this spec, and what is said of it: all but the excerpt, which is the same for each."""
    excerpt = f"  s.py:3:6\n  3 | #  - {written}\n           {'^' * len(written)}\n"
    said = f"{problem}\n{excerpt}hint: {hint}"
    return "execute", ["--dry-run", "s.py"], {"s.py": HEADER.format(written)}, {}, 125, said


def no_package(name: str) -> str:
    return f"error (solve): there is no package `{name}` for ... in `.../made`"


def no_version(written: str) -> str:
    return f"error (solve): no `{written.split(maxsplit=1)[0]}` of `.../made` for ... fits `{written}`"


def case(
    line: str,
    said: str,
    files: dict[str, str] | None = None,
    status: int = 125,
    variables: Variables = MappingProxyType({}),
) -> Mistake:
    program, *words = line.split()
    return program, words, files or {}, variables, status, said


#: The packages of the channel in which the mistakes are made.
VERSIONS = (("numpy", "1.26"), ("pip", "24.2"), ("python", "3.11.2"), ("python", "3.12.1"))
PLAIN = HEADER.format("python")
MINIMAL = "\n      # conda execute\n      # env:\n      #  - python >=3"
#: A name for each mistake, and what makes it.
MISTAKES = {
    "exact version": spec(
        "python 3.11",
        no_version("python 3.11"),
        "`python 3.11` means exactly version 3.11; for any 3.11 write `python 3.11.*`\n"
        "      there is python 3.12.1, 3.11.2",
    ),
    "exact version in brackets": spec(
        "python[version=3.11]",
        no_version("python[version=3.11]").replace("python[version=3.11]", "python", 1),
        "`python[version=3.11]` means exactly version 3.11; for any 3.11 write `python 3.11.*`\n"
        "      there is python 3.12.1, 3.11.2",
    ),
    "version in the name": spec("python3.11", no_package("python3.11"), "did you mean `python 3.11.*`?"),
    "major version in the name": spec("python3", no_package("python3"), "did you mean `python 3.*`?"),
    "colon before the version": spec(
        "python:3.11",
        no_package("3.11"),
        "did you mean `python 3.11.*`? A colon separates a channel from a package",
    ),
    "name of PyPI": spec("opencv-python", no_package("opencv-python"), "conda-forge calls it `opencv`"),
    "name of an import": spec("torch", no_package("torch"), "conda-forge calls it `pytorch`"),
    "name of an import in capitals": spec("PIL", no_package("pil"), "conda-forge calls it `pillow`"),
    "name of an old package": spec("sklearn", no_package("sklearn"), "conda-forge calls it `scikit-learn`"),
    "module of Python": spec("os", no_package("os"), "`os` is part of Python: remove this line"),
    "module of Python as an argument": case(
        "execute --with json s.py",
        no_package("json") + "\n  --with json\nhint: `json` is part of Python: leave it out",
        {"s.py": PLAIN},
    ),
    "unknown name": spec(
        "unheardof",
        no_package("unheardof"),
        "check the spelling; if it is in another channel, add that under `channels:`; if it is only on PyPI, write"
        " `- pip: [unheardof]` below `env`",
    ),
    "pip install": spec(
        "pip install humanize",
        no_version("pip install humanize"),
        "this is a command, not a package; below `env` write `- pip: [humanize]`",
    ),
    "extra": spec(
        "rich[jupyter]",
        "error (solve): `rich[jupyter]` is not a valid match spec: invalid bracket",
        "for a package of PyPI write `- pip: ['rich[jupyter]']`; with conda extras `rich[extras=[jupyter]]`",
    ),
    "caret": spec(
        "numpy^1.26", "error (solve): `numpy^1.26` is not a valid match spec: ...", "did you mean `numpy >=1.26,<2`?"
    ),
    "at sign": spec(
        "numpy@1.26", "error (solve): `numpy@1.26` is not a valid match spec: ...", "did you mean `numpy 1.26.*`?"
    ),
    "text after a version": spec(
        "python >=3  needed for f-strings",
        no_version("python >=3 needed for f-strings"),
        "did you mean `python >=3`? A comment begins with `#`\n      there is python 3.12.1, 3.11.2",
    ),
    "no comma": spec(
        "python >=3 <3.2",
        no_version("python >=3 <3.2"),
        "did you mean `python >=3,<3.2`? A comma separates versions\n      there is python 3.12.1, 3.11.2",
    ),
    "exact version that is not there": spec(
        "python 3.10",
        no_version("python 3.10"),
        "`python 3.10` means exactly version 3.10, and there is no other 3.10 either\n"
        "      there is python 3.12.1, 3.11.2",
    ),
    "two packages in a line": spec(
        "python numpy", no_version("python numpy"), "write one package per line: `- python`, `- numpy`"
    ),
    "two packages with a comma": spec(
        "python, numpy",
        "error (solve): `python ,numpy` is not a valid match spec: ...".replace("python ,numpy", "...", 1),
        "write one package per line: `- python`, `- numpy`",
    ),
    "three packages with commas": spec(
        "python >=3, numpy, six",
        no_version("python >=3,numpy,six"),
        "write one package per line: `- python >=3`, `- numpy`, `- six`\n      there is python 3.12.1, 3.11.2",
    ),
    "repository": spec(
        "git+https://example.org/team/tool.git@v1",
        "error (solve): `git+https://example.org/team/tool.git@v1` is not a valid match spec: ...",
        "a repository is a requirement of pip: list it under `pip:` as "
        "`tool @ git+https://example.org/team/tool.git@v1`",
    ),
    "slip": spec("nunpy", no_package("nunpy"), "did you mean `numpy`?"),
    "requirements as specs": case(
        "tmpenv create --override-channels --channel {url} --file requirements.txt",
        "error (solve): there is no package `humanize` for ... in `.../made`\n"
        "  requirements.txt:1:1\n  1 | humanize\n      ^^^^^^^^\n"
        "hint: the file is read as conda specs; if it is only on PyPI, write `pypi:humanize` in its line",
        {"requirements.txt": "humanize\n"},
    ),
    "--with": case(
        "execute --with humanize s.py",
        no_package("humanize") + "\n  --with humanize\n"
        "hint: `--channel CHANNEL` adds another channel; `pypi:humanize` asks for a package of PyPI",
        {"s.py": PLAIN},
    ),
    "pip: for PyPI": case(
        "execute --with pip:numpy s.py",
        "error: `pip:numpy` is not a valid match spec\nhint: did you mean `pypi:numpy`?",
        {"s.py": PLAIN},
    ),
    "--with and a version": case(
        "execute --with python 3.12 s.py a",
        "error: there is no script `3.12`\n"
        "hint: `--with` takes one spec: `conda-execute --with 'python 3.12.*' s.py a`",
        {"s.py": PLAIN},
        status=127,
    ),
    "--with and two packages": case(
        "execute --with numpy humanize s.py",
        "error: there is no script `humanize`\n"
        "hint: `--with` takes one spec: `conda-execute --with numpy --with humanize s.py`",
        {"s.py": PLAIN},
        status=127,
    ),
    "--with and a script": case(
        "execute --with s.py",
        "error: there is no script to run\nhint: `--with` took it for a spec: `conda-execute --with SPEC s.py`",
        {"s.py": PLAIN},
    ),
    "verb of another tool": case(
        "execute run s.py",
        "error: there is no script `run`\nhint: no such word is needed: `conda-execute s.py`",
        {"s.py": PLAIN},
        status=127,
    ),
    "install": case(
        "execute install numpy",
        "error: there is no script `install`\nhint: `conda-execute --add numpy SCRIPT` adds it to a script's header, "
        "`--with numpy` has it for one run",
        status=127,
    ),
    "option without its dashes": case(
        "execute lock s.py",
        "error: there is no script `lock`\nhint: write it as an option: `conda-execute --lock s.py`",
        {"s.py": PLAIN},
        status=127,
    ),
    "interpreter before the script": case(
        "execute python s.py -v",
        "error: there is no script `python`\nhint: the header says what runs a script: `conda-execute s.py -v`",
        {"s.py": PLAIN},
        status=127,
    ),
    "--add": case(
        "execute --add nunpy s.py",
        no_package("nunpy") + "\n  --add nunpy\nhint: did you mean `numpy`?",
        {"s.py": PLAIN},
    ),
    "no header": case(
        "execute s.py",
        "error: `s.py` has no header\n"
        f"hint: `conda-execute --init s.py` writes one; or write in a comment what the script needs:{MINIMAL}",
        {"s.py": "print(1)\n"},
    ),
    "no header, of another language": case(
        "execute s.lua",
        "error: `s.lua` has no header\n"
        "hint: `conda-execute --init s.lua` writes one; or write in a comment what the script needs:\n"
        "      -- conda execute\n      -- env:\n      --  - lua",
        {"s.lua": "print(1)\n"},
    ),
    "no header, of a shell script": case(
        "execute s.sh",
        "error: `s.sh` has no header\n"
        "hint: `conda-execute --init s.sh` writes one; or write in a comment what the script needs:\n"
        "      # conda execute\n      # env:\n      #  - bash",
        {"s.sh": "echo\n"},
    ),
    "no header, of what is compiled": case(
        "execute s.c",
        "error: `s.c` has no header\nhint: `conda-execute --init s.c` writes one",
        {"s.c": "int main(void) {{ return 0; }}\n"},
    ),
    "comment of another language": case(
        "execute --check s.lua",
        "error: this header is not a comment: in a .lua script, comments start with `--`\n"
        "  s.lua:1:1\n  1 | # conda execute\n      ^^^^^^^^^^^^^^^\n"
        "hint: begin each line of the header with `--`, as in `-- conda execute`",
        {"s.lua": "# conda execute\n# env:\n#  - lua\n"},
    ),
    "comment of a shell in C": case(
        "execute --check s.c",
        "error: this header is not a comment: in a .c script, comments start with `//`\n"
        "  s.c:1:1\n  1 | # conda execute\n      ^^^^^^^^^^^^^^^\n"
        "hint: begin each line of the header with `//`, as in `// conda execute`",
        {"s.c": "# conda execute\n# env:\n#  - gcc\n"},
    ),
    "slip in the opening": case(
        "execute --check s.py",
        "error: the script has no header, only a line that looks almost like the beginning of one\n"
        "  s.py:1:1\n  1 | # conda exceute\n      ^^^^^^^^^^^^^^^\n"
        "hint: the line must be `# conda execute` and nothing else; what is needed follows in the next lines",
        {"s.py": "# conda exceute\n# env:\n#  - python\n"},
    ),
    "slip in a block's opening": case(
        "execute --check s.py",
        "error: the script has no header, only a line that looks almost like the beginning of one\n"
        "  s.py:1:1\n  1 | # /// scirpt\n      ^^^^^^^^^^^^\n"
        "hint: the first line must be exactly `# /// script`, and the last one exactly `# ///`, without spaces at the"
        " end",
        {"s.py": "# /// scirpt\n# dependencies = []\n# ///\n"},
    ),
    "requirements beside pip:": case(
        "execute --check s.py",
        "error: `pip:` has no entries of its own\n  s.py:3:6\n  3 | #  - pip:\n           ^^^\n"
        "hint: indent them more than `- pip:`:\n      #  - pip:\n      #    - humanize",
        {"s.py": "# conda execute\n# env:\n#  - pip:\n#  - humanize\n"},
    ),
    "pip: in brackets with nothing in it": case(
        "execute --check s.py",
        "error: `pip:` has no entries of its own\n"
        "  s.py:2:17\n  2 | # env: [python, pip: ]\n                      ^^^\nhint: write `pip: [NAME]`",
        {"s.py": "# conda execute\n# env: [python, pip: ]\n"},
    ),
    "pip: before a requirement": case(
        "execute --check s.py",
        "error: `pip:numpy` is listed among conda's packages\n"
        "  s.py:3:6\n  3 | #  - pip:numpy\n           ^^^^^^^^^\n"
        "hint: `numpy` belongs under `pip:`, or into `dependencies` of a `# /// script` header",
        {"s.py": "# conda execute\n# env:\n#  - pip:numpy\n"},
    ),
    "pypi: before a requirement": case(
        "execute --check s.py",
        "error: `pypi:humanize >=4` is not a valid PyPI requirement: `pypi:` does not belong to its name\n"
        "  s.py:4:8\n  4 | #    - pypi:humanize >=4\n             ^^^^^^^^^^^^^^^^^\nhint: write `humanize >=4`",
        {"s.py": "# conda execute\n# env:\n#  - pip:\n#    - pypi:humanize >=4\n"},
    ),
    "binary": case(
        "execute s",
        "error: found a NUL byte: this is a binary file, not a script\n  s:1\n"
        "hint: run it directly, without conda-execute, which takes the source text of a script",
        {"s": "\0"},
    ),
    "program": case(
        "execute python",
        "error: there is no script `python`\nhint: to run a program of a package: `conda-execute -x python`",
        status=127,
    ),
    "script without its suffix": case(
        "execute ok",
        "error: there is no script `ok`\nhint: did you mean `ok.py`?",
        {"ok.py": PLAIN},
        status=127,
    ),
    "script as a program": case(
        "execute -x ok.py a",
        "error: `ok.py` is a script here, not a program of a package\n"
        "hint: leave out `-x`: `conda-execute ok.py a`",
        {"ok.py": PLAIN},
    ),
    "path of a script as a program": case(
        "execute --with numpy -x ./ok.py",
        "error: `./ok.py` is a script here, not a program of a package\n"
        "hint: leave out `-x`: `conda-execute --with numpy ./ok.py`",
        {"ok.py": PLAIN},
    ),
    "name of the environment of a missing script": case(
        "tmpenv name zzzz.py",
        "error: there is no script `zzzz.py`\n"
        "hint: if a package is called so, name its versions, too: `'zzzz.py *'`",
        status=127,
    ),
    "environment of a missing script": case(
        "tmpenv create numpy myscrip.py",
        "error: there is no script `myscrip.py`\nhint: did you mean `myscript.py`?",
        {"myscript.py": PLAIN},
        status=127,
    ),
    "nothing": case(
        "execute",
        "error: there is no script to run\nhint: `conda-execute SCRIPT` runs one, `conda-execute --init SCRIPT` starts "
        "one; `conda-execute --help` shows more",
    ),
    "--with alone": case(
        "execute --with numpy",
        "error: there is no script to run\n"
        "hint: name a script, or run code: `conda-execute --with numpy -c 'print(1)'`",
    ),
    "-c alone": case(
        "execute -c print(1)",
        "error: `-c` has no header\nhint: name what the code needs: `conda-execute --with python -c CODE`, or begin it "
        f"with a header:{MINIMAL}",
    ),
    "- alone": case(
        "execute -",
        "error: `-` has no header\nhint: name what the script needs: `conda-execute --with python -`, or begin it "
        f"with a header:{MINIMAL}",
    ),
    "-c for a channel": case(
        "execute --with python -c conda-forge s.py",
        "error: `-c` runs code, and `conda-forge s.py` looks like a channel and a script\n"
        "hint: write `--channel conda-forge s.py` instead of `-c conda-forge s.py`",
        {"s.py": PLAIN},
    ),
    "environment.yml": case(
        "execute environment.yml",
        "error: `environment.yml` is an environment.yml, not a script\n"
        "hint: `conda-tmpenv create --file environment.yml` creates its environment",
        {"environment.yml": "dependencies:\n - python\n"},
    ),
    "requirements.txt": case(
        "execute requirements.txt",
        "error: `requirements.txt` is a list of pip's requirements, not a script\n"
        "hint: name each with `--with pypi:NAME`, or under `pip:` in a header",
        {"requirements.txt": "humanize\n"},
    ),
    "two scripts for one text": case(
        "execute --export pixi.lock s.py b.py",
        "error: unexpected argument `b.py`\nhint: `--export` takes one script",
        {"s.py": PLAIN},
    ),
    "words for a shell": case(
        "execute --shell s.py b",
        "error: unexpected argument `b`\nhint: `--shell` takes one script",
        {"s.py": PLAIN},
    ),
    "unknown archive": case(
        "execute --pack foo.rar s.py",
        "error: `--pack` cannot write `foo.rar`\nhint: the name of an archive ends in `.tar.gz`, ...`.squashfs`",
        {"s.py": PLAIN},
    ),
    "several, one wrong": case(
        "execute --check s.py wrong.py",
        "error: the header is not valid YAML: a bracket is not closed\n"
        "  wrong.py:2:9\n  2 | # env: [\n              ^\nhint: close it",
        {"s.py": PLAIN, "wrong.py": "# conda execute\n# env: [\n"},
    ),
    "interpreter of the shebang": case(
        "execute s.py",
        "error: `/none/python3.9` is not there\n"
        "  s.py:1:3\n  1 | #!/none/python3.9\n        ^^^^^^^^^^^^^^^\n"
        "hint: add `python 3.9.*` to the header",
        {"s.py": "#!/none/python3.9\n" + HEADER.format("numpy")},
        status=127,
    ),
    "R without its package": case(
        "execute s.R",
        "error: `Rscript` is not in the environment `...`\nhint: add `r-base` to the header",
        {"s.R": HEADER.format("numpy")},
        status=127,
    ),
    "missing script": case("execute zzzz.py", "error: there is no script `zzzz.py`", status=127),
    "sort key": case(
        "tmpenv list --sort age",
        "error: `--sort` does not take `age`\nhint: it takes one of `name`, `size`, `created`, `used`, `script`",
    ),
    "info of nothing": case(
        "tmpenv info",
        "error: `conda-tmpenv info` needs a NAME or SCRIPT\nhint: `conda-tmpenv list` shows the names",
    ),
    "age in days": case(
        "tmpenv clear --min-age 2d",
        "error: `--min-age`: `2d` is not a number of hours\nhint: such as `--min-age 48`",
    ),
    "clear --all": case(
        "tmpenv clear --all",
        "error: there is no option `--all`\n"
        "hint: without names, `conda-tmpenv clear` deletes every environment that no process is using",
    ),
    "clear -y": case(
        "tmpenv clear -y", "error: there is no option `-y`\nhint: not needed: there is no question to answer"
    ),
    "three digits": case(
        "tmpenv info f2c",
        "error: there is neither an environment nor a script `f2c`\n"
        "hint: a shortened name has at least 4 digits; `conda-tmpenv list` shows the environments that exist",
    ),
    "option of another tool": case(
        "execute --no-cache s.py",
        "error: there is no option `--no-cache`\nhint: `--force-env` creates the environment again",
    ),
    "module": case(
        "execute -m http.server",
        "error: there is no option `-m`\n"
        "hint: `conda-execute -x python -m MODULE` runs a module; `--with SPEC` adds a package",
    ),
    "colon and version": case(
        "execute --check s.py",
        "error: `python:` is not expected here: of all entries of `env`, only `pip` has a colon\n"
        "  s.py:3:6\n  3 | #  - python: 3.11\n           ^^^^^^\nhint: write a spec without a colon, such as "
        "`- python 3.11.*`",
        {"s.py": "# conda execute\n# env:\n#  - python: 3.11\n"},
    ),
    "slip in a key": case(
        "execute --check s.py",
        "error: `enviroment` is not a key of a header\n"
        "  s.py:2:3\n  2 | # enviroment:\n        ^^^^^^^^^^\nhint: did you mean `env`?",
        {"s.py": "# conda execute\n# enviroment:\n#  - python\n"},
    ),
    "typographic quotes": case(
        "execute --check s.py",
        "error: `“python”` is not a valid match spec: it must start with a package name\n"
        "  s.py:3:6\n  3 | #  - “python”\n           ^^^^^^^^\n"
        "hint: line 3 contains U+201C, which only looks like `\"`: write `\"`",
        {"s.py": "# conda execute\n# env:\n#  - “python”\n"},
    ),
    "Python that is not there": case(
        "execute --python python2.7 --dry-run s.py",
        no_version("python 2.7.*") + "\n  --python python2.7\nhint: there is python 3.12.1, 3.11.2",
        {"s.py": PLAIN},
    ),
    "Python as tox names it": case(
        "execute --python py27 --dry-run s.py",
        no_version("python 2.7.*") + "\n  --python py27\nhint: there is python 3.12.1, 3.11.2",
        {"s.py": PLAIN},
    ),
    "half a platform": case(
        "execute --platform linux --dry-run s.py",
        "error: `--platform` does not take `linux`\nhint: it takes one of `linux-32`, `linux-64`, ...",
        {"s.py": PLAIN},
    ),
    "comment sign of the opening": case(
        "execute --check s.py",
        "error: the script has no header, only a line that looks almost like the beginning of one\n"
        "  s.py:1:1\n  1 | # conda-execute\n      ^^^^^^^^^^^^^^^\n"
        "hint: the line must be `# conda execute` and nothing else; what is needed follows in the next lines",
        {"s.py": "# conda-execute\n# env:\n#  - python\n"},
    ),
    "value forgotten": case(
        "execute --with",
        "error: `--with` needs a value: SPEC\nhint: such as `--with numpy`, or `--with 'python 3.12.*'`",
    ),
    "notebook cut short": case(
        "execute --check n.ipynb",
        "error: `n.ipynb` is not a notebook: it is not JSON\n  n.ipynb:1:11\n  1 | {\"cells\":[\n                ^\n"
        "hint: it ends too early: get it again, or restore an older version",
        {"n.ipynb": "{{\"cells\":["},
    ),
    "settings that are not YAML": case(
        "execute --check s.py",
        "error: a settings file is not valid YAML: a bracket is not closed\n"
        "  settings.yml:1:12\n  1 | channels: [\n                 ^\nhint: close it",
        {"s.py": PLAIN, "settings.yml": "channels: [\n"},
        variables={"CONDARC": "settings.yml"},
    ),
    "settings that are not there": case(
        "execute --check -v s.py",
        "`CONDARC` names `missing.yml`, which is not read: it is not there",
        {"s.py": PLAIN},
        status=0,
        variables={"CONDARC": "missing.yml"},
    ),
    "settings of another name": case(
        "execute --check -v s.py",
        "`CONDARC` names `my.conf`, which is not read: its name does not end in `.yml` or `.yaml`",
        {"s.py": PLAIN, "my.conf": "channels: [x]\n"},
        status=0,
        variables={"CONDARC": "my.conf"},
    ),
    "Latin-1": case(
        "execute --check s.py",
        "error: the script is not UTF-8: line 4 contains the byte 0xe9\n"
        "  s.py:4:8\n  4 | print(\"\ufffd\")\n             ^\n"
        "hint: save the script as UTF-8, or name its encoding in one of the first two lines: `# coding: latin-1`",
        {"s.py": "# conda execute\n# env:\n#  - python\nprint(\"\udce9\")\n"},
    ),
    "project of another tool": case(
        "execute pixi.toml",
        "error: `pixi.toml` is a file of another tool's project, not a script\n"
        "hint: `conda-execute SCRIPT` runs a script, `conda-execute --init SCRIPT` starts its header",
        {"pixi.toml": "[project]\nname = 'x'\n"},
    ),
    "file of specs that is missing": case(
        "tmpenv create --file nothere.yml", "error: there is no file `nothere.yml`", status=127
    ),
    "activate": case(
        "tmpenv activate s.py",
        "error: there is no command `activate`\n"
        "hint: `conda-execute --shell SCRIPT` opens a shell in a script's environment",
    ),
    "command of another kind": case(
        "tmpenv search numpy",
        "error: there is no command `search`\nhint: `conda search SPEC` looks for packages",
    ),
    "run by the other program": case(
        "tmpenv run s.py", "error: there is no command `run`\nhint: `conda-execute SCRIPT` runs a script"
    ),
    "a name for a new environment": case(
        "tmpenv create -n mine numpy",
        "error: there is no option `-n`\n"
        "hint: an environment is named by its contents; `conda create` makes one with a name or a path of its own",
    ),
    "a file as a spec": case(
        "tmpenv create --override-channels --channel {url} -f env.yml",
        no_package("env.yml") + "\nhint: `conda-tmpenv create --file env.yml` creates an environment from a file",
    ),
    "option that only looks alike": case(
        "execute --no-sync s.py",
        "error: there is no option `--no-sync`\n"
        "hint: not needed: a run never changes a lock file; `--locked` requires one",
    ),
    "colour": case(
        "execute --color never s.py",
        "error: there is no option `--color`\nhint: set NO_COLOR=1 for output without colours",
    ),
    "pip: at the top": case(
        "execute --check s.py",
        "error: `pip` is not a key of a header\n  s.py:4:3\n  4 | # pip:\n        ^^^\n"
        "hint: `pip:` is an entry of `env`, which begins with a dash: `- pip:`",
        {"s.py": "# conda execute\n# env:\n#  - python\n# pip:\n#  - rich\n"},
    ),
    "stars for a list": case(
        "execute --check s.py",
        "error: the header is not valid YAML: a value cannot begin with `*` or `&`\n"
        "  s.py:3:4\n  3 | #  * python\n         ^\nhint: an entry of a list begins with `- `",
        {"s.py": "# conda execute\n# env:\n#  * python\n"},
    ),
    "tab": case(
        "execute --check s.py",
        "error: the header is not valid YAML: there is a tab, and YAML is indented with spaces\n"
        "  s.py:3:2\n  3 | #→- python\n       ^\nhint: indent with spaces",
        {"s.py": "# conda execute\n# env:\n#\t- python\n"},
    ),
    "another comment below": case(
        "execute --check s.py",
        "error: `Author` is not a key of a header\n"
        "  s.py:4:3\n  4 | # Author: me\n        ^^^^^^\n"
        "hint: the header ends at the first line that is not a comment: separate it from other comments with an empty "
        "line\n      known here: ...",
        {"s.py": "# conda execute\n# env:\n#  - python\n# Author: me\n"},
    ),
    "condition that is not closed": case(
        "execute --check s.py",
        "error: the condition of this line is not closed\n"
        "  s.py:3:14\n  3 | #  - python  # [linux\n                   ^^^^^^^^\nhint: write `# [linux]`",
        {"s.py": "# conda execute\n# env:\n#  - python  # [linux\n"},
    ),
    "variable of a shell": case(
        "execute --check s.py",
        "error: the entrypoint ... a `$` that begins neither `${NAME}` nor `$(command)`\n"
        "  s.py:3:24\n  3 | # entrypoint = \"python $SCRIPT\"\n                             ^\n"
        "hint: write `${SCRIPT}`, or put it in single quotes if it is meant literally",
        {
            "s.py": "# /// conda-script\n# channels = [\"conda-forge\"]\n# entrypoint = \"python $SCRIPT\"\n"
            "# [dependencies]\n# python = \"*\"\n# /// end-conda-script\n"
        },
    ),
    "shebang of another system": case(
        "execute --check s.py",
        "conda-execute: `s.py` has lines that end in CR LF and does not start as a program; `sed -i 's/\\r$//' FILE`"
        " changes that",
        {"s.py": "#!/usr/bin/env conda-execute\r\n# conda execute\r\n# env: [python]\r\n"},
        status=0,
    ),
    "several for one --add": case(
        "execute --add numpy pip s.py",
        "conda-execute: `s.py` now asks for python, numpy, pip",
        {"s.py": PLAIN},
        status=0,
    ),
    "the script before what is added": case(
        "execute --add s.py numpy",
        "error: `numpy` comes after the script\n"
        "hint: the script is the last word: `conda-execute --add numpy s.py`",
        {"s.py": PLAIN},
    ),
    "the script between what is removed": case(
        "execute --remove numpy s.py pip",
        "error: `pip` comes after the script\n"
        "hint: the script is the last word: `conda-execute --remove numpy pip s.py`",
        {"s.py": PLAIN},
    ),
    "--add with nothing but the script": case(
        "execute --add s.py",
        "error: no script is named\nhint: the script is the last word: `conda-execute --add SPEC s.py`",
        {"s.py": PLAIN},
    ),
    "--remove with nothing but the script": case(
        "execute --remove s.py",
        "error: no script is named\nhint: the script is the last word: `conda-execute --remove NAME s.py`",
        {"s.py": PLAIN},
    ),
    "--add without a script": case(
        "execute --add numpy",
        "error: no script is named\nhint: the script is the last word: `conda-execute --add numpy SCRIPT`",
    ),
    "--init without a script": case(
        "execute --init --add numpy",
        "error: no script is named\nhint: the script is the last word: `conda-execute --init --add numpy SCRIPT`",
    ),
    "--init alone": case(
        "execute --init",
        "error: no script is named\nhint: the script is the last word: `conda-execute --init SCRIPT`",
    ),
    "unlike any option": case(
        "execute --qqqq s.py",
        "error: there is no option `--qqqq`\n"
        "hint: options of the script come after it; `conda-execute --help` lists the options",
    ),
}  # fmt: skip


def as_written(said: str, expected: str) -> bool:
    """Whether a text is the expected one; `...` in that stands for anything."""
    return re.fullmatch(".*".join(map(re.escape, expected.split("..."))), said.rstrip("\n"), re.DOTALL) is not None


def test_a_first_mistake_is_answered_to_the_letter(world: World, make_channel: Callable[..., str]) -> None:
    url = make_channel(*(Package(*each) for each in VERSIONS))
    asked = [
        (
            program,
            [word.format(url=url) for word in words],
            {name: text.format(url=url) for name, text in files.items()},
            dict(variables),
        )
        for program, words, files, variables, _, _ in MISTAKES.values()
    ]
    done = world.run([sys.executable, "-c", _RUN_EACH], input=json.dumps(asked), env={"PYTHONPATH": str(CHECKOUT)})
    assert done.stderr == ""
    wrong = {
        name: (status, text)
        for (name, (*_, expected_status, expected)), (status, text) in zip(
            MISTAKES.items(), json.loads(done.stdout), strict=True
        )
        if status != expected_status or not as_written(text, expected)
    }
    assert wrong == {}


@pytest.mark.parametrize("width", [40, 50, 80, 120, 200])
@pytest.mark.parametrize("before", ["python >=3, " * 30, "数 >=3, " * 40, ""], ids=["far", "wide", "near"])
def test_an_error_fits_a_terminal_of_any_width_and_its_caret_is_below_the_mistake(width: int, before: str) -> None:
    line = f"# env: [{before}numpy 9, {'six, ' * 50}]"
    where = Location("s.py", 2, line.index("numpy 9") + 1, 7, line)
    error = ExecuteError(f"no version fits: {'so it is ' * 20}", where=where, hint="write `numpy 9.*` " * 12)
    lines = render(error, width=width).split("\n")
    assert max(map(cells, lines)) < width
    caret = next(index for index, text in enumerate(lines) if set(text.strip()) == {"^"})
    at = cells(lines[caret - 1][: lines[caret - 1].index("numpy 9")])
    assert lines[caret] == " " * at + "^" * 7
