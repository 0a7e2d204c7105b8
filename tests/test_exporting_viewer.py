"""Exported logs in Inspect's own viewer, opened in a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest

from raml_eval.exporting.inspect_log import export_inspect
from raml_eval.tables import load_run
from raml_eval.types import Grade, Status
from tests.stored import Drawn, ask, store_run

inspect_log = pytest.importorskip("inspect_ai.log")
playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
SITE = "http://logs.test/"
HOSTILE = [
    "<script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)><iframe src='javascript:alert(4)'></iframe>",
    "[a](javascript:alert(5)) ![b](http://evil.test/x.png) </script><script>alert(6)</script>\x1b[31mred\x00",
    "$\\href{javascript:alert(7)}{x}$ <style>*{display:none}</style><meta http-equiv=refresh content='0;url=http://evil.test'>",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The viewer with the logs of one task at two budgets, whose every text is hostile."""
    grades = [Grade(Status.INCORRECT, text, "boxed", text) for text in HOSTILE]
    drawn = [
        Drawn(f"answer {place} {text}", grade, budget=budget, thinking=f"thought {place} {text}")
        for budget in (8, 1000)
        for place, (text, grade) in enumerate(zip(HOSTILE, grades, strict=True))
    ]
    run = load_run(store_run(tmp_path / "run", [ask(0, HOSTILE[0])], drawn))
    export_inspect(run, tmp_path / "logs")
    inspect_log.bundle_log_dir(str(tmp_path / "logs"), str(tmp_path / "bundle"))
    return tmp_path / "bundle"


@pytest.fixture
def page(bundle: Path) -> Iterator[Any]:
    """A page at which the bundle is served, with lists of the dialogs and of the requests to anywhere else."""

    def serve(route: Any) -> None:
        url = route.request.url
        path = bundle / (unquote(urlparse(url).path).lstrip("/") or "index.html")
        if not url.startswith(SITE):
            found.foreign.append(url)
            route.abort()
        elif path.is_file() and (asked := route.request.headers.get("range")):  # the viewer reads parts of a log
            data, (first, last) = path.read_bytes(), map(int, asked.removeprefix("bytes=").split("-"))
            about = {"content-range": f"bytes {first}-{last}/{len(data)}"}
            route.fulfill(status=206, headers=about, body=data[first : last + 1])
        elif path.is_file():
            route.fulfill(path=path)
        else:
            route.fulfill(status=404)

    with playwright.sync_playwright() as starter:
        browser = starter.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        found = browser.new_page()
        found.foreign, found.dialogs = [], []
        found.route("**/*", serve)
        found.on("dialog", lambda dialog: (found.dialogs.append(dialog.message), dialog.dismiss()))
        yield found
        browser.close()


def test_the_viewer_shows_both_logs_and_runs_nothing_of_a_model(page: Any, bundle: Path) -> None:
    page.goto(SITE)
    for budget in (8, 1000):
        page.get_by_text(f"thinking_budget={budget}").wait_for()
    (log,) = (path.name for path in (bundle / "logs").iterdir() if "sums-1000_" in path.name)
    for place, text in enumerate(HOSTILE):
        page.goto(f"{SITE}#/logs/{log}/samples/sample/0-abcdef/{place + 1}/messages")
        page.get_by_text(f"answer {place}").first.wait_for()
        page.get_by_text("Reasoning").first.wait_for()
        page.get_by_text(f"thought {place}").first.wait_for()
        for link in page.query_selector_all("a"):
            assert not (link.get_attribute("href") or "").strip().startswith("javascript"), text
        page.goto(f"{SITE}#/logs/{log}/samples/sample/0-abcdef/{place + 1}/scoring")
        page.get_by_text("extracted by rule").first.wait_for()
    assert page.dialogs == []
    assert page.foreign == []
