"""A real Chromium for the tests of pages, which tells everything that a page must not do. Skips where there is none."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Watched:
    """What a page did beside being shown: dialogs, requests (but for files below its own folder), errors and new pages."""

    page: Any
    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def check_quiet(self) -> None:
        assert (self.dialogs, self.requests, self.problems) == ([], [], [])


@contextlib.contextmanager
def opened(path: Path, *, scripts: bool = True, width: int = 1200, dark: bool = False) -> Iterator[Watched]:
    """The file in a fresh browser, from file://. Every request for something outside its folder is recorded and refused."""
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            context = browser.new_context(
                viewport={"width": width, "height": 800}, java_script_enabled=scripts, color_scheme="dark" if dark else "light"
            )
            page = context.new_page()
            watched = Watched(page)
            own = path.resolve().parent.as_uri() + "/"

            def see(route: Any) -> None:
                url = route.request.url
                if url.startswith(own):
                    watched.files.append(url.removeprefix(own).partition("#")[0])
                    route.continue_()
                else:
                    watched.requests.append(url)
                    route.abort()

            def dismiss(dialog: Any) -> None:
                watched.dialogs.append(dialog.message)
                dialog.dismiss()

            page.route("**/*", see)
            page.on("dialog", dismiss)
            page.on("pageerror", lambda error: watched.problems.append(str(error)))
            page.on("console", lambda message: watched.problems.append(message.text))
            page.on("popup", lambda popup: watched.problems.append(f"opened {popup.url}"))
            page.goto(path.resolve().as_uri())
            yield watched
        finally:
            browser.close()
