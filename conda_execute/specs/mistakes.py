"""What users of pip, Poetry or npm write instead of a match spec, and what they mean. No channel is asked."""

from __future__ import annotations

import re
import sys

from ..text import close

#: Names of imports and of PyPI projects that conda-forge has under another name.
CONDA_NAMES = {
    "attr": "attrs",
    "beautifulsoup": "beautifulsoup4",
    "bio": "biopython",
    "bs4": "beautifulsoup4",
    "crypto": "pycryptodome",
    "cv2": "opencv",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "faiss": "faiss-cpu",
    "fitz": "pymupdf",
    "git": "gitpython",
    "jwt": "pyjwt",
    "kaleido": "python-kaleido",
    "levenshtein": "python-levenshtein",
    "magic": "python-magic",
    "msgpack": "msgpack-python",
    "mysqldb": "mysqlclient",
    "opencv-contrib-python": "opencv",
    "opencv-python": "opencv",
    "opencv-python-headless": "opencv",
    "osgeo": "gdal",
    "pil": "pillow",
    "pptx": "python-pptx",
    "psycopg2-binary": "psycopg2",
    "pyqt5": "pyqt",
    "redis": "redis-py",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "snappy": "python-snappy",
    "tables": "pytables",
    "tensorflow-gpu": "tensorflow",
    "torch": "pytorch",
    "usb": "pyusb",
    "websocket": "websocket-client",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}


#: Well-known channels.
CHANNELS = (
    *("anaconda", "bioconda", "conda-forge", "defaults", "dask", "esri", "fastai", "huggingface", "intel", "main"),
    *("microsoft", "msys2", "nvidia", "plotly", "pytorch", "pytorch-nightly", "r", "rapidsai", "robostack-staging"),
)

#: The name of a package after another spec: a build may have digits, so after a space a name has none.
_NEXT = r"(?:,? (?!and\b|or\b)[A-Za-z][A-Za-z.-]*[A-Za-z]|, ?[A-Za-z][\w.-]*)"
#: What a spec may have after its name.
_VERSIONS = r"(?:(?: ?[<>=!~]| \d)[^\s,]*(?:,[<>=!~\d*][^\s,]*)*)?"

#: How a spec is written elsewhere, and what to say of it: in a file, and where it differs, on a command line.
_PATTERNS: tuple[tuple[str, ...], ...] = (
    (
        r"pip3? install (?:-\S+ )*(.+)",
        "this is a command, not a package; below `env` write `- pip: [{all}]`",
        "`pypi:NAME` asks for a package of PyPI: `pypi:{first}`",
    ),
    (r"pip3?: ?([^:].*)", "below `env` write `- pip: [{0}]`", "did you mean `pypi:{0}`?"),
    (
        r"(?=git\+|\S+\.git\b)(?:git\+)?(\w+://\S*?/([\w.-]+?)(?:\.git)?(?:[@#]\S*)?)",
        "a repository is a requirement of pip: list it under `pip:` as `{1} @ git+{0}`",
        "a repository is a requirement of pip: `pypi:{1} @ git+{0}`",
    ),
    (r"(\S+\.(?:ya?ml|txt))", "`conda tmpenv create --file {0}` creates an environment from a file"),
    (r"([\w.-]+) ?[\^~]=? ?(\d+)((?:\.\d+)*)", "did you mean `{0} >={1}{2},<{next}`?"),
    (r"([\w.-]+)@(\d[\w.]*)|(python)-?(\d[\d.]*)", "did you mean `{0} {1}.*`?"),
    (r"([A-Za-z][\w.-]*):(\d[\d.]*)", "did you mean `{0} {1}.*`? A colon separates a channel from a package"),
    (
        r"([\w.-]+)\[([\w.,-]+)\].*",
        "for a package of PyPI write `- pip: ['{0}[{1}]']`; with conda extras `{0}[extras=[{1}]]`",
    ),
    (
        r"([\w.-]+ ?[=<>!~]+ ?[\d.*]+(?:,[=<>!~]+[\d.*]+)*) +(?!and\b|or\b)[A-Za-z]\w* .*",
        "did you mean `{0}`? A comment begins with `#`",
    ),
    (
        rf"([A-Za-z][\w.-]*{_VERSIONS}(?:{_NEXT}{_VERSIONS})+)",
        "write one package per line: {lines}",
        "each package is a spec of its own: `{each}`",
    ),
)


def meant(spec: str, *, in_file: bool = True) -> str | None:
    """A hint for a spec in the style of another tool; None if it looks like conda's. `in_file`: it is in a file, not an
    argument.

    >>> meant("numpy^1.26"), meant("numpy@1.26"), meant("python3.11")
    ('did you mean `numpy >=1.26,<2`?', 'did you mean `numpy 1.26.*`?', 'did you mean `python 3.11.*`?')
    >>> meant("python:3.11")
    'did you mean `python 3.11.*`? A colon separates a channel from a package'
    >>> meant("rich[jupyter]")
    "for a package of PyPI write `- pip: ['rich[jupyter]']`; with conda extras `rich[extras=[jupyter]]`"
    >>> meant("pip install humanize")
    'this is a command, not a package; below `env` write `- pip: [humanize]`'
    >>> meant("python >=3 needed for f-strings")
    'did you mean `python >=3`? A comment begins with `#`'
    >>> meant("python 3.12 numpy"), meant("python, numpy", in_file=False)
    ('write one package per line: `- python 3.12`, `- numpy`', 'each package is a spec of its own: `python`, `numpy`')
    >>> meant("python >=3,<4,numpy,py7zr >=1")
    'write one package per line: `- python >=3,<4`, `- numpy`, `- py7zr >=1`'
    >>> meant("git+https://example.org/a/b.git@v1")
    'a repository is a requirement of pip: list it under `pip:` as `b @ git+https://example.org/a/b.git@v1`'
    >>> meant("torch"), meant("numpy >=1.26,<2"), meant("python 3.11.* *_cpython"), meant("numpy 1.26 py311_0")
    ('conda-forge calls it `pytorch`', None, None, None)
    >>> meant("os"), meant("sys", in_file=False)
    ('`os` is part of Python: remove this line', '`sys` is part of Python: leave it out')
    """
    for pattern, *hints in _PATTERNS:
        if found := re.fullmatch(pattern, spec):
            hint = hints[0 if in_file else -1]
            parts = [part for part in found.groups() if part is not None]
            each = re.split(r",? (?![<>=!~\d])|,(?=[A-Za-z])", parts[0]) if parts else []
            return hint.format(
                *parts,
                next=int(parts[1]) + 1 if "{next}" in hint else "",
                first=each[0],
                each="`, `".join(each),
                all=", ".join(each),
                lines=", ".join(f"`- {one}`" for one in each),
            )
    name = spec.partition(" ")[0]
    conda = CONDA_NAMES.get(name.lower())
    if conda is None and name in sys.stdlib_module_names:
        return f"`{name}` is part of Python: {'remove this line' if in_file else 'leave it out'}"
    return f"conda-forge calls it `{conda}`" if conda is not None and conda != spec else None


def channel(name: str) -> str | None:
    """A hint for the name of a channel that is nearly a well-known one.

    >>> channel("conda-froge"), channel("bioconda"), channel("my-lab")
    ('did you mean `conda-forge`?', None, None)
    """
    found = [] if name in CHANNELS else close(name, CHANNELS, likeness=0.8)
    return f"did you mean `{found[0]}`?" if found else None


#: A single version, perhaps with a channel or a build: `python 3.11`, `python[version=3.11]`.
_EXACT = (
    r"((?:[^\s:]+::)?[\w.-]+)(?: (?:==)?|\[version=['\"]?(?:==)?| =(?=[^=]+=))"
    r"(\d[\d.]*)(?:['\"]?\]|([ =][^\s=<>,|]+))?"
)


def exact(spec: str, versions: list[str]) -> str | None:
    """A hint where a version without an operator is meant as the beginning of one: some of the `versions` that there
    are begin so, or have more numbers than the two or three that it has.

    >>> exact("python 3.11", ["3.12.1", "3.11.7", "3.11.2"])
    '`python 3.11` means exactly version 3.11; for any 3.11 write `python 3.11.*`'
    >>> exact("numpy ==2.2", ["2.2.6"]), exact("python 3.9.1", ["3.11.7"])
    ('`numpy ==2.2` means exactly version 2.2; for any 2.2 write `numpy 2.2.*`', None)
    >>> exact("c::python =3.11=*_cp", ["3.11.7"])
    '`c::python =3.11=*_cp` means exactly version 3.11; for any 3.11 write `c::python 3.11.* *_cp`'
    >>> exact("python 3.10", ["3.12.1", "3.11.7"])
    '`python 3.10` means exactly version 3.10, and there is no other 3.10 either'
    """
    found = re.fullmatch(_EXACT, spec)
    if found is None or not any(
        version.startswith(f"{found[2]}.") or 0 < found[2].count(".") < version.count(".") for version in versions
    ):
        return None
    name, version, build = found.groups(default="")
    if not any(f"{one}.".startswith(f"{version}.") for one in versions):
        return f"`{spec}` means exactly version {version}, and there is no other {version} either"
    meant = f"{name} {version}.*{build.replace('=', ' ')}"
    return f"`{spec}` means exactly version {version}; for any {version} write `{meant}`"
