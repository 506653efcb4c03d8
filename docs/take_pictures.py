"""Take the pictures in these pages from a running demo.

    python3 run.py demo --no-browser --days 90
    python docs/take_pictures.py LINK           the link that the demo prints behind “Log in”

Writes `docs/pictures/*.webp`. Needs Chromium, or the program that CHROMIUM names.
"""  # noqa: INP001  a program in a folder of pages, not a package

from __future__ import annotations

import io
import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

PICTURES = Path(__file__).resolve().parent / "pictures"
WIDE, PHONE = (1280, 860), (390, 844)
# A picture's name, where it is taken, on which screen, in which scheme. A trailing * follows the second such link.
SHOTS = (
    ("today", "/", WIDE, "light"),
    ("today-phone", "/", PHONE, "dark"),
    ("sleep", "/sleep", WIDE, "light"),
    ("workout", "/workouts/*", WIDE, "dark"),
    ("heart-rate", "/browse/heart_rate", WIDE, "light"),
    ("ecg", "/records/ecg/*", WIDE, "light"),
    ("upload", "/uploads/*", WIDE, "light"),
    ("coverage", "/health/coverage", WIDE, "dark"),
)


def main(link: str) -> None:
    """Log in and take them all."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--disable-background-networking", "--no-first-run"]
        )
        context = browser.new_context()
        context.new_page().goto(link)
        state = context.storage_state()
        for name, path, size, scheme in SHOTS:
            _take(browser, dict(state), link.partition("/login/")[0], name, path, size, scheme)
        browser.close()


def _take(
    browser: Browser,
    state: dict[str, object],
    url: str,
    name: str,
    path: str,
    size: tuple[int, int],
    scheme: str,
) -> None:
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if scheme == "dark" else "light",
        storage_state=state,  # type: ignore[arg-type]  # what the browser itself gave
        reduced_motion="reduce",
        device_scale_factor=1.5,
    )
    page = context.new_page()
    page.goto(url + path.removesuffix("/*"))
    if path.endswith("*"):
        page.goto(url + str(page.locator(f'main a[href^="{path[:-1]}"]').nth(1).get_attribute("href")))
    page.wait_for_load_state("networkidle")
    page.wait_for_function("() => !document.querySelector(':not(:defined), [aria-busy=\"true\"]')")
    page.evaluate("() => document.fonts.ready")
    file = PICTURES / f"{name}.webp"
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(file, lossless=True, method=6)
    context.close()
    sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
