"""`python -m benchmarks.mixtures`: mixtures of conda and PyPI packages, chosen by us, by uv alone, and by conda first.

Conda's side is the local channel, PyPI's the real index. It prints a table: what each way ends with of the packages
that the mixture names, the seconds, and which packages of conda's an installation after conda would replace.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uv
from packaging.requirements import Requirement

from benchmarks import world
from benchmarks.world import World
from tests import tiny

#: What conda has: the metadata of the real packages, for one Python.
CONDA = (
    ("numpy", "1.26.4"), ("numpy", "2.2.6"), ("pandas", "1.5.3"), ("pandas", "2.2.3"), ("scipy", "1.10.1"),
    ("scipy", "1.15.3"), ("scikit-learn", "1.2.2"), ("scikit-learn", "1.6.1"), ("python-dateutil", "2.9.0.post0"),
    ("pytz", "2025.2"), ("tzdata", "2025.2"), ("joblib", "1.4.2"), ("threadpoolctl", "3.5.0"), ("six", "1.17.0"),
    ("attrs", "23.2.0"), ("attrs", "24.2.0"), ("click", "8.1.7"), ("idna", "3.10"),
)  # fmt: skip
PYTHON = "3.11"

#: What is asked of conda, and of PyPI.
MIXTURES = (
    ("numpy", "nptyping"),
    ("numpy", "numba <0.60"),
    ("numpy pandas", "pandera"),
    ("numpy pandas", "pandas-profiling"),
    ("scipy", "gensim"),
    ("scikit-learn", "imbalanced-learn <0.12"),
    ("scikit-learn pandas", "sktime <0.20"),
    ("numpy >=2", "numba <0.60"),
    ("attrs", "jsonschema"),
    ("click idna", "httpx[cli]"),
)


@dataclass(frozen=True)
class Way:
    """What one way chose, by name, and how long it took; or why it could not."""

    versions: dict[str, str]
    seconds: float
    failure: str = ""
    notices: tuple[str, ...] = ()

    def shown(self, names: Sequence[str]) -> str:
        said = self.failure or ", ".join(f"{name} {self.versions[name]}" for name in names if name in self.versions)
        return f"{said} ({self.seconds:.1f} s)"


def main() -> None:
    print("| conda | PyPI | conda-execute | uv alone | conda, then pip | replaced then | notices |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="conda-execute-mixtures-") as root:
        place = world.make(Path(root) / "world")
        _write_channel(place)
        for specs, asked in MIXTURES:
            names = [re.split(r"[<>=\[]", each.strip())[0].strip() for each in (*_names(specs), asked)]
            ours, alone = _ours(place, specs, asked), _alone(place, specs, asked)
            after, replaced = _after(place, specs, asked)
            cells = [specs, f"`{asked}`", *(way.shown(names) for way in (ours, alone, after))]
            print(
                "|", " | ".join([*cells, ", ".join(replaced) or "-", "; ".join(ours.notices) or "-"]), "|", flush=True
            )


def _names(specs: str) -> list[str]:
    """`a >=2 b` as `a>=2` and `b`."""
    return re.sub(r" (?=[<>=])", "", specs).split()


def _write_channel(place: World) -> None:
    """conda's packages, with the metadata and the requirements that the wheels have."""
    downloads = world.CHECKOUT / ".cache" / "mixtures"
    packages = []
    for name, version in CONDA:
        found = _wheel(downloads, name, version)
        with zipfile.ZipFile(found) as archive:
            text = next(archive.read(each) for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        depends = [f"python {PYTHON}.*"]
        for line in re.findall(r"^Requires-Dist: (.+)$", text.decode(), re.MULTILINE):
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"python_version": PYTHON, "extra": ""}):
                depends.append(f"{wanted.name.lower()} {wanted.specifier}".strip())
        folder = f"lib/python{PYTHON}/site-packages/{name.replace('-', '_')}-{version}.dist-info"
        files = {f"{folder}/METADATA": text, f"{folder}/INSTALLER": b"conda\n", f"{folder}/RECORD": b""}
        packages.append(tiny.Tiny(name, version, tuple(depends), files=files, build="py311_0"))
    tiny.channel(place.root / "science", *packages)


def _wheel(downloads: Path, name: str, version: str) -> Path:
    downloads.mkdir(parents=True, exist_ok=True)
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(downloads.glob(pattern)):
        words = ["download", "-qq", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]
        words += ["--python-version", PYTHON, "--dest", str(downloads), f"{name}=={version}"]
        subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    return next(downloads.glob(pattern))


def _ours(place: World, specs: str, asked: str) -> Way:
    script = _script(place, specs, f"#  - pip: ['{asked}']\n")
    status, printed, _, seconds = _timed(place, [place.half, "--dry-run", "--json", script])
    told = json.loads(printed) if printed else {}
    if status != 0:
        return Way({}, seconds, str(told.get("message") or told.get("error") or "an error"))
    packages = [*told["packages"], *told["pypi_packages"]]
    return Way({one["name"]: one["version"] for one in packages}, seconds, notices=tuple(told.get("notices", ())))


def _alone(place: World, specs: str, asked: str) -> Way:
    wanted = Path(place.script("wanted.txt", "\n".join([*_names(specs), asked]), ""))
    words = [uv.find_uv_bin(), "pip", "compile", "--quiet", "--no-header", "--no-annotate", "--python-version", PYTHON]
    status, printed, _, seconds = _timed(place, [*words, str(wanted)])
    return Way(_pins(printed), seconds, "" if status == 0 else "an error")


def _after(place: World, specs: str, asked: str) -> tuple[Way, list[str]]:
    """conda's packages first, and then what an installer would do that knows nothing of them but what is there."""
    prefix = place.run(place.half, "--print-prefix", _script(place, specs, "")).stdout.strip()
    words = [
        uv.find_uv_bin(),
        "pip",
        "install",
        "--dry-run",
        "--break-system-packages",
        "--python",
        f"{prefix}/bin/python",
    ]
    there = _pins(place.run(uv.find_uv_bin(), "pip", "freeze", "--python", f"{prefix}/bin/python").stdout)
    status, _, said, seconds = _timed(place, [*words, asked])
    added = dict(re.findall(r"^ \+ (\S+)==(\S+)", said, re.MULTILINE))
    replaced = [f"{name} {there[name]} by {version}" for name, version in added.items() if name in there]
    return Way({**there, **added}, seconds, "" if status == 0 else "an error"), replaced


def _script(place: World, specs: str, more: str) -> str:
    asked = "".join(f"#  - {spec}\n" for spec in (f"python {PYTHON}.*", *_names(specs)))
    channels = f"# channels: [{(place.root / 'science').as_uri()}, conda-forge]\n"
    return place.script("mixture.py", f"# conda execute\n# env:\n{asked}{more}{channels}")


def _timed(place: World, words: Sequence[str]) -> tuple[int, str, str, float]:
    before = time.perf_counter()
    done = place.run(*words, check=False)
    return done.returncode, done.stdout, done.stderr, time.perf_counter() - before


def _pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)(?:\[[^]]*\])?(?:==| @ \S*?-)([\w.]+)", text, re.MULTILINE))


if __name__ == "__main__":
    main()
