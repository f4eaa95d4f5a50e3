"""A picture of the page of `edgener-runtime serve`: python tools/serve_picture.py BUNDLE PICTURE.png CHROMIUM"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

SENTENCE = (
    "On Friday Marta Lindqvist left Oslo for Nairobi, where Nordwind Robotics plays Lagos United in the African Cup."
)
SIZE: ViewportSize = {"width": 900, "height": 720}


def draw(url: str, picture: Path, chromium: str) -> None:
    """Type the sentence, ask, and take the picture."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(url)
        page.get_by_label("Text").fill(SENTENCE)
        page.get_by_role("button").click()
        page.locator("#count").wait_for()
        page.screenshot(path=picture)
        browser.close()


def main(bundle: str, picture: str, chromium: str) -> None:
    """Start a server, draw its page, and stop it."""
    program = shutil.which(chromium)
    if program is None:
        sys.exit(f"there is no {chromium} on this machine: apt-get install chromium, or CHROMIUM=program")
    command = [str(Path(sys.executable).with_name("edgener-runtime")), "serve", bundle, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr
        said = []
        for line in server.stderr:
            said.append(line)
            if found := re.search(r"listening on (\S+)", line):
                draw(found[1], Path(picture), program)
                server.terminate()
        if server.wait():
            sys.exit("".join(said))


if __name__ == "__main__":
    main(*sys.argv[1:])
