"""A past brought through the browser: dropped, broken off, gone on with, imported, looked at and taken back."""

from __future__ import annotations

import base64
import re
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import expect

from tests.fixtures.apple_export import AppleExport

CHUNK = 1_000
DROP = """([name, content, chunk]) => {
  document.querySelector('hb-deliver').dataset.chunk = String(chunk);
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { lastModified: 1760000000000 }));
  const drop = (kind) => new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true });
  document.querySelector('.drop').dispatchEvent(drop('dragover'));
  document.querySelector('.drop').dispatchEvent(drop('drop'));
}"""


def test_an_export_is_dropped_cut_off_gone_on_with_imported_and_undone(desk, tmp_path):
    content = AppleExport(days=3, seed=7).zip(tmp_path / "here.zip").read_bytes()
    dropped = ["<b>my past</b>.zip", base64.b64encode(content).decode(), CHUNK]
    page = desk.go("/history")
    sent, breaks = [], {CHUNK: 1, 3 * CHUNK: 1_000}  # at which byte the connection breaks, and how often

    def chunk(route):
        at = int(parse_qs(urlsplit(route.request.url).query)["at"][0])
        if breaks.get(at):
            breaks[at] -= 1
            route.abort()
        else:
            sent.append(at)
            route.continue_()

    page.route("**/history/chunks/**", chunk)
    page.evaluate(DROP, dropped)
    row = page.locator(".arriving > li")
    expect(row.locator("progress")).to_have_attribute("value", str(3 * CHUNK))  # it went on by itself once
    expect(row).to_contain_text(re.compile(r"Trying again in (2|4|8|16) s"))  # its pauses become longer
    assert sent == [0, CHUNK, 2 * CHUNK]
    expect(row.locator("progress")).to_have_attribute("aria-label", re.compile("my past"))
    page.get_by_role("button", name="Pause: ").click()
    expect(row).to_contain_text("Paused")

    # As after a reload: what is there is not sent again.
    desk.wrong = [each for each in desk.wrong if "ERR_FAILED" not in each]
    page = desk.go("/history")
    expect(page.locator("#imports")).to_contain_text("Choose the same file again")
    breaks.clear()
    page.evaluate(DROP, dropped)
    page.wait_for_url(re.compile(r"/history/(files/\w+|\d+)$"))
    assert sent == list(range(0, len(content), CHUNK))

    page.wait_for_url(re.compile(r"/history/\d+$"), timeout=60_000)
    done = page.locator("#import .badge")
    expect(done).to_have_text("Done", timeout=60_000)
    expect(page.locator("h1")).to_have_text("<b>my past</b>.zip")
    rows = page.locator("table.counts").first.locator("tr").all_inner_texts()
    numbers = [
        [int(each.replace(",", "").replace("–", "0")) for each in row.split()[-6:]] for row in rows[1:]
    ]
    assert numbers[-1] == [sum(column) for column in zip(*numbers[:-1], strict=True)]
    assert numbers[-1][0] == sum(numbers[-1][1:]) > 0

    page.get_by_role("button", name="Undo this import…").click()
    page.get_by_role("dialog").get_by_role("button", name="Undo it").click()
    expect(done).to_have_text("Undone")
    assert [each for each in desk.wrong if "ERR_FAILED" not in each] == []
