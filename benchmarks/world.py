"""A home, a channel and installed programs of the benchmarks' own, so that nothing of the user's is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from conda_execute.environments import layout

CHECKOUT = Path(__file__).parents[1]

NATIVE = "# conda execute\n# env:\n#  - python\n#  - numpy\n# run_with: python\n"
SEED = "import numpy as np\nprint(np.random.normal(size=3))\n"
CONDA_EXEC = '# /// script\n# [tool.conda]\n# channels = ["conda-forge"]\n# dependencies = ["python", "numpy"]\n# ///\n'
PEP_723 = '# /// script\n# requires-python = ">=3.10"\n# dependencies = ["numpy"]\n# ///\n'

#: Kept from the caller: what reaches a package registry.
_PASSED_ON = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_INDEX_URL",
    "PIP_CERT",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_INDEX",
    # Which solver conda has: what it defaults to may be missing.
    "CONDA_SOLVER",
)

_HALF = """\
#!{python}
import sys
sys.path.insert(0, {checkout!r})
from conda_execute.__main__ import program
program()
"""


@dataclass(frozen=True)
class World:
    root: Path
    environ: dict[str, str] = field(repr=False)
    channel: Path

    @property
    def launcher(self) -> str:
        return str(self.root / "bin" / "conda-execute")

    @property
    def half(self) -> str:
        return str(self.root / "bin" / "conda-execute-py")

    @property
    def tmp_envs(self) -> Path:
        return next(path for path in (self.root / "envs" / "tmp_envs", self.root / "envs") if path.exists())

    @property
    def packages(self) -> Path:
        return Path(self.environ["RATTLER_CACHE_DIR"])

    def script(self, name: str, header: str, body: str = "pass\n") -> str:
        path = self.root / "work" / name
        path.write_text(f"{header}\n{body}")
        path.chmod(0o755)
        return str(path)

    def shell(self, name: str) -> str | None:
        """This shell under the name `sh`, or None where it is missing."""
        program = shutil.which(name)
        if program is None:
            return None
        link = self.root / "shells" / name / "sh"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(program)
        return str(link)

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, env=self.environ, cwd=self.root / "work", text=True, capture_output=True, check=False
        )
        if check and done.returncode != 0:
            raise SystemExit(f"{' '.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def python(self) -> str:
        """The interpreter of the one environment that the benchmarks made."""
        (prefix,) = (path for path in self.tmp_envs.iterdir() if not path.name.startswith("."))
        return str(prefix / "bin" / "python")

    def forget_environments(self) -> None:
        """Remove them all, but not that there was a sweep within the hour: that is the ordinary cold run."""
        shutil.rmtree(self.root / "home" / ".conda" / "exec", ignore_errors=True)
        # Renamed first, since a detached sweep of the run before may still be looking around in there.
        gone = self.root / "gone"
        (self.root / "envs").rename(gone)
        (self.root / "envs").mkdir(mode=0o700)
        for path in [*gone.glob("*/.*"), *gone.glob(".*")]:
            if path.name == layout.BOOTS:
                kept = self.root / "envs" / path.relative_to(gone)
                kept.parent.mkdir(mode=0o700, exist_ok=True)
                path.rename(kept)
        shutil.rmtree(gone, ignore_errors=True)
        os.sync()  # a run that writes its own data to the disk must not write that of the run before, too

    def forget_packages(self) -> None:
        shutil.rmtree(self.packages, ignore_errors=True)


def make(root: Path) -> World:
    """A world below `root`, with conda-forge standing for the local channel."""
    from tests.channel import build

    channel = build.ensure()
    for name in ("home", "work", "bin", "tmp", "envs"):
        (root / name).mkdir(parents=True)
    root.joinpath("condarc").write_text(
        f"channels:\n  - conda-forge\ncustom_channels:\n  conda-forge: {channel.parent.as_uri()}\n"
    )
    shutil.copy(CHECKOUT / "conda_execute" / "launch" / "posix" / "conda-execute", root / "bin")
    half = root / "bin" / "conda-execute-py"
    half.write_text(_HALF.format(python=sys.executable, checkout=str(CHECKOUT)))
    half.chmod(0o755)
    environ = {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "PATH": f"{root / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(root / "home"),
        "PWD": str(root / "work"),
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
        "CONDARC": str(root / "condarc"),
        "CONDA_EXECUTE_ENV_DIR": str(root / "envs"),
        "CONDA_EXECUTE_CACHE_DIR": str(root / "cache"),
        "RATTLER_CACHE_DIR": str(root / "rattler"),
        "CONDA_PKGS_DIRS": str(root / "rattler" / "conda"),
        "UV_CACHE_DIR": str(root / "uv"),
        "UV_NO_PROGRESS": "1",
    }
    return World(root, environ, channel)
