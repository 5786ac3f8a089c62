"""Large programs in a sandbox, from the package index: they work as they do outside, and see no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import World, needs_kernel
from tests.test_notebook import JUV, write

pytestmark = [pytest.mark.stress, needs_kernel]


def header(*requirements: str) -> str:
    return "".join(
        f"# {line}\n" for line in ("conda execute", "env:", " - python", f" - pip: {json.dumps(requirements)}")
    )


def test_matplotlib_draws_a_png_and_a_pdf(world: World, project: Path) -> None:
    """It makes its list of fonts in a home that is empty, and reads the system's fonts."""
    code = f"""
import os
import matplotlib
import matplotlib.pyplot as plt
figure, axes = plt.subplots()
axes.plot([1, 2, 4])
axes.set_title("Größe: $x^2$")
for name in ("plot.png", "plot.pdf"):
    figure.savefig(name)
assert os.path.isdir(matplotlib.get_configdir())
print(os.path.exists({str(world.home / "secret")!r}))
"""
    path = project / "plot.py"
    path.write_text(header("matplotlib") + code)
    assert world.execute("--sandbox", path, cwd=project, check=True).stdout == "False\n"
    assert (project / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert (project / "plot.pdf").read_bytes().startswith(b"%PDF")


def test_notebook_runs_with_its_kernel(world: World, project: Path) -> None:
    """Client and kernel talk on loopback; ZeroMQ gives its threads a scheduler by number."""
    block = JUV.replace('"rich",', '"nbclient", "ipykernel",')
    code = f"""
import os, pathlib, subprocess
pathlib.Path("told").write_text(subprocess.run(["echo", "child"], capture_output=True, text=True).stdout)
assert not os.path.exists({str(world.home / "secret")!r})
"""
    path = write(project / "n.ipynb", block, code)
    world.execute("--sandbox", path, cwd=project, check=True)
    assert (project / "told").read_text() == "child\n"


def test_joblib_shares_arrays_among_processes(world: World, project: Path) -> None:
    """Its workers are programs of their own, with semaphores and files in shared memory."""
    code = """
import joblib, numpy
def total(array): return float(array.sum())
if __name__ == "__main__":
    array = numpy.ones(1_000_000)
    print(sum(joblib.Parallel(n_jobs=2)(joblib.delayed(total)(array) for _ in range(4))))
"""
    path = project / "parallel.py"
    path.write_text(header("joblib", "numpy") + code)
    assert world.execute("--sandbox", path, cwd=project, check=True).stdout == "4000000.0\n"
