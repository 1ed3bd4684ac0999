"""Looks at a page of `status` as people do: with the mouse, the keyboard, in the dark, on a phone.

    look.py BROWSER PAGE LARGE FOLDER     a page, that of a large fleet, and where pictures of both go
"""

import sys
import time
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


def luminance(page):
    """How bright the page is behind its text, from 0 to 255."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(float, colour[colour.index("(") + 1 : -1].split(",")[:3])) / 3


def shown(page):
    """The names that the table shows, from above."""
    return page.locator("table.secrets tbody tr td[data-name=Secret]").all_inner_texts()


def opened(browser, address, asked, **settings):
    """A page that is open, and whose every request and complaint is noted."""
    page = browser.new_page(**settings)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: asked.append(f"console: {said.text}"))
    page.on("pageerror", lambda error: asked.append(f"error: {error}"))
    page.goto(address)
    return page


def look(browser, address, pictures):
    asked = []
    page = opened(browser, address, asked, viewport=DESK, color_scheme="light")
    expect(page.get_by_role("status")).to_contain_text("don't do as they should")
    light = luminance(page)
    page.screenshot(path=pictures / "light.png")
    # What is wrong can be read without moving the page: states, and functions with a fault.
    halted = page.get_by_role("row", name="reserved concurrency is 0").bounding_box()
    assert halted["y"] + halted["height"] < DESK["height"], halted
    # The worst first, and one press shows a state alone.
    first = page.locator("table.secrets tbody tr").first
    expect(first).to_contain_text("trouble/")
    stuck = page.get_by_role("list", name="States").get_by_role("button", name="stuck")
    stuck.click()
    assert stuck.get_attribute("aria-pressed") == "true"
    assert [name.split("\n")[0].endswith("secret.trouble/stuck") for name in shown(page)] == [True], shown(page)
    stuck.click()
    # By the keyboard alone: a search, and an order.
    page.keyboard.press("Tab")
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == "find":
            break
        page.keyboard.press("Tab")
    page.keyboard.type("TROUBLE/")
    assert shown(page) and all("trouble/" in name for name in shown(page)), shown(page)
    name = page.locator("table.secrets").get_by_role("columnheader", name="Secret")
    name.get_by_role("button").focus()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", "what has the keyboard can't be seen"
    page.keyboard.press("Enter")
    assert name.get_attribute("aria-sort") == "ascending"
    assert shown(page) == sorted(shown(page))
    page.keyboard.press("Enter")
    assert name.get_attribute("aria-sort") == "descending"
    assert shown(page) == sorted(shown(page), reverse=True)
    # The view is in the address, and comes back with it.
    again = opened(browser, page.url, asked, viewport=DESK)
    assert shown(again) == shown(page)
    dark = opened(browser, address, asked, viewport=DESK, color_scheme="dark")
    assert luminance(dark) < 80 < 175 < light, (luminance(dark), light)
    dark.screenshot(path=pictures / "dark.png")
    phone = opened(browser, address, asked, viewport=PHONE, has_touch=True, is_mobile=True)
    wide = phone.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE["width"], f"a phone of {PHONE['width']} pixels would have to be moved over {wide}"
    phone.screenshot(path=pictures / "phone.png")
    foreign = [one for one in asked if not one.startswith("file:")]
    assert not foreign, foreign


def look_at_many(browser, address, pictures):
    """A page of a very large fleet: it opens, sorts and searches within what a person takes for at once."""
    asked = []
    began = time.monotonic()
    page = opened(browser, address, asked, viewport=DESK)
    expect(page.locator("table.secrets tbody tr")).to_have_count(50)
    times = {"open": time.monotonic() - began}
    for what, act in {
        "sort": lambda: page.locator("table.secrets").get_by_role("columnheader", name="Age").get_by_role("button").click(),
        "find": lambda: page.locator("#find").fill("trouble/stuck"),
    }.items():
        began = time.monotonic()
        act()
        times[what] = time.monotonic() - began
    assert shown(page) and all("trouble/stuck" in name for name in shown(page))
    page.screenshot(path=pictures / "many.png")
    assert not [one for one in asked if not one.startswith("file:")], asked
    print("a large fleet:", ", ".join(f"{what} {took:.2f} s" for what, took in times.items()))


if __name__ == "__main__":
    browser, small, large, folder = sys.argv[1:]
    with sync_playwright() as started:
        # Within a container of root's, Chromium can't put itself into a sandbox of its own.
        chromium = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        look(chromium, Path(small).absolute().as_uri(), Path(folder))
        look_at_many(chromium, Path(large).absolute().as_uri(), Path(folder))
        chromium.close()
