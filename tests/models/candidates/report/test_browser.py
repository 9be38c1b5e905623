"""The report in a real browser: nothing sticks out, nothing complains, and paper has all of it."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from models.candidates.report import write
from tests.models.candidates.findings import binary, regression, store

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
KINDS = {"open": binary, "blind": lambda: binary(blind=True), "small": regression}
MEASURE = """<script>addEventListener("load", () => {
  const page = document.documentElement
  const out = [...document.querySelectorAll("main *")].filter(part => !part.closest(".scroll, svg, symbols") &&
    part.getBoundingClientRect().right > page.clientWidth + 1).map(part => part.tagName + "." + part.className)
  document.title = JSON.stringify({wide: page.scrollWidth, room: page.clientWidth, out: out.slice(0, 5)})
})</script>"""

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]


def browse(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--enable-logging=stderr",
    ]
    return subprocess.run(
        [*command, f"--user-data-dir={folder / 'profile'}", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_sticks_out_of_the_page_and_nothing_complains(kind: str, tmp_path: Path) -> None:
    page = write(store(KINDS[kind](), tmp_path / "run"))
    measured = tmp_path / "measured.html"
    measured.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{MEASURE}</body>"), encoding="utf-8")
    for width in (1280, 500):
        shown = browse(
            tmp_path, f"--window-size={width},900", "--virtual-time-budget=3000", "--dump-dom", measured.as_uri()
        )
        title = re.search(r"<title>(.*?)</title>", shown.stdout)
        assert title
        assert '"out":[]' in title[1].replace("&quot;", '"'), (width, title[1])
        assert "CONSOLE" not in shown.stderr, shown.stderr


def test_paper_has_all_parts_and_open_details(tmp_path: Path) -> None:
    page = write(store(binary(), tmp_path / "run"))
    browse(tmp_path, f"--print-to-pdf={tmp_path / 'report.pdf'}", "--no-pdf-header-footer", page.as_uri())
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))
    assert 3 <= pages <= 25
