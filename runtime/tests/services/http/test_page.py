"""The page as a reader has it: in a headless Chromium, with a token and without, by keyboard, on a phone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgener_runtime import TokenClassifier

from .running import Running, serving

pytest.importorskip("starlette", reason="the extra serve is not installed")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("no chromium on this machine: apt-get install chromium", allow_module_level=True)

TEXT = "🔧🔧 Feed pump P-101: oil leak"  # each wrench is two units of JavaScript and one character
ATTACK = "<img src=x onerror=\"document.title='gone'\"><b>oil leak</b>"
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def free(bundle: Path) -> Iterator[Running]:
    """A server that asks for no token."""
    with serving(bundle, "--max-text", 500) as running:
        yield running


@pytest.fixture
def open_page(browser: Any, free: Running) -> Iterator[Open]:
    """`open_page()`: the page, with a note of all that was asked for and complained of."""
    contexts = []

    def opened(url: str = free.url, **settings: Any) -> Any:
        contexts.append(browser.new_context(**settings))
        page = contexts[-1].new_page()
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url.removeprefix(url)))
        page.on("console", lambda message: page.errors.append(message.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()


def submit(page: Any, text: str) -> Any:
    page.get_by_label("Text").fill(text)
    page.get_by_role("button").click()
    page.locator("#count, #problem").locator("visible=true").wait_for()
    return page


def marks(page: Any) -> list[list[str]]:
    """Label and text of each mark."""
    found: list[list[str]] = page.eval_on_selector_all("mark", "all => all.map(m => [m.dataset.label, m.textContent])")
    return found


def test_a_text_comes_back_with_its_entities_marked_where_they_are(
    open_page: Open, classifier: TokenClassifier
) -> None:
    page = submit(open_page(), TEXT)
    known = classifier.predict(TEXT)
    assert marks(page) == [[entity.label, entity.text] for entity in known]
    assert len(known) > 3
    assert page.locator("#marked").text_content() == TEXT
    assert page.locator("#count").inner_text() == f"{len(known)} entities"
    cells = page.eval_on_selector_all("tbody tr", "all => all.map(row => [...row.cells].map(cell => cell.textContent))")
    assert [row[:4] for row in cells] == [[one.label, one.text, str(one.start), str(one.end)] for one in known]


def test_nothing_but_the_page_and_its_server_is_asked_for(open_page: Open) -> None:
    page = submit(open_page(), TEXT)
    assert page.asked == ["/", "/page.css", "/page.js", "/predict"]
    assert page.errors == []


def test_a_text_that_is_markup_is_shown_and_does_nothing(open_page: Open) -> None:
    found = {"label": ATTACK, "start": 0, "end": len(ATTACK), "score": 1, "text": ATTACK}
    page = open_page()
    page.route("**/predict", lambda route: route.fulfill(json={"entities": [found]}))
    submit(page, ATTACK)
    assert page.locator("#marked").text_content() == ATTACK
    assert page.get_by_role("cell", name=ATTACK).count() == 2
    assert page.locator("main img, main b").count() == 0
    assert page.title() == "Entities of a text"


def test_the_policy_stops_a_script_that_got_in_all_the_same(open_page: Open) -> None:
    page = open_page()
    planted = "document.body.append(Object.assign(document.createElement('script'), {text: `document.title = 'gone'`}))"
    page.evaluate(planted)
    assert page.title() == "Entities of a text"
    assert any("Content Security Policy" in error for error in page.errors)


def test_the_policy_stops_a_request_to_another_server(open_page: Open, server: Running) -> None:
    page = open_page()
    refused = page.evaluate("url => fetch(url).then(() => 'answered', () => 'refused')", f"{server.url}/healthz")
    assert refused == "refused"
    assert any("Content Security Policy" in error for error in page.errors)


def test_an_error_of_the_server_is_shown_and_the_next_text_is_marked(open_page: Open) -> None:
    page = submit(open_page(), "a" * 501)
    assert page.locator("#problem").inner_text().startswith("text has 501 characters, at most 500 are accepted")
    assert page.locator("table").is_hidden()
    submit(page, "oil leak")
    page.locator("#count").wait_for()
    assert page.locator("#problem").is_hidden()


def test_a_token_is_asked_for_once_the_server_wants_it(open_page: Open, server: Running, token: str) -> None:
    page = open_page(server.url)
    assert page.get_by_label("Bearer token").is_hidden()
    submit(page, "oil leak")
    assert page.locator("#problem").inner_text().startswith("a bearer token is required")
    page.get_by_label("Bearer token").fill(token)
    page.get_by_role("button").click()
    page.locator("#count").wait_for()
    assert marks(page)


def test_a_text_without_entities_has_none(open_page: Open) -> None:
    page = submit(open_page(), " ")
    assert page.locator("#count").inner_text() == "0 entities"
    assert page.locator("table").is_hidden()


def test_the_chosen_model_is_asked_and_a_long_name_fits_a_phone(open_page: Open, bundle: Path, tmp_path: Path) -> None:
    other = shutil.copytree(bundle, tmp_path / "other")
    record = json.loads((other / "manifest.json").read_text(encoding="utf-8"))
    record["labels"] = [f"{label}_OTHER" if label != "O" else label for label in record["labels"]]
    (other / "manifest.json").write_text(json.dumps(record), encoding="utf-8")
    with serving({"first": bundle, "other" * 20: other}) as own:
        page = submit(open_page(own.url, viewport={"width": 320, "height": 600}), "oil leak")
        assert not any("_OTHER" in label for label, _ in marks(page))
        page.get_by_label("Model").select_option("other" * 20)
        submit(page, "oil leak")
        page.locator("mark[data-label$=_OTHER]").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_it_works_by_keyboard(open_page: Open) -> None:
    page = open_page()
    page.keyboard.type("oil leak")  # the text has the focus
    page.keyboard.press("Control+Enter")
    page.locator("#count").wait_for()
    assert marks(page)


def test_on_a_phone_the_page_does_not_scroll_sideways(open_page: Open) -> None:
    page = submit(open_page(viewport={"width": 320, "height": 600}), f"{'pump' * 60} oil leak")
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(("scheme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(22, 22, 27)")])
def test_it_is_dark_where_the_reader_wants_it_so(open_page: Open, scheme: str, background: str) -> None:
    page = open_page(color_scheme=scheme)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
