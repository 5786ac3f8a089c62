"""The documentation as a site: MkDocs builds it from the same files, without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, PATIENCE

pytest.importorskip("mkdocs")


def test_the_site_builds_without_a_warning_and_has_every_page(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=CHECKOUT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    for page in (CHECKOUT / "docs").rglob("*.md"):
        folder = page.relative_to(CHECKOUT / "docs").with_suffix("")
        assert (tmp_path / "site" / ("" if page.name == "index.md" else folder) / "index.html").is_file()
        assert folder.name == "index" or f"{folder}.md" in (CHECKOUT / "mkdocs.yml").read_text(encoding="utf-8")
