"""The page, in a real browser: buttons, keys, folding, dark mode, no network, and what a screen reader is told."""

import re

import numpy as np
import pytest

import autodiff as ad
import nn

from . import browser
from .test_draw import seed

pytestmark = pytest.mark.skipif(browser.COMMAND is None, reason="chromium is not installed")

WORDS = "document.getElementById('words').textContent"
SHOWN = "[...document.querySelectorAll('.card')].filter(c => c.getClientRects().length)"
NOW = "[...document.querySelectorAll('.card.now')].map(c => c.getAttribute('aria-label'))"


@pytest.fixture(scope="module")
def chromium():
    with browser.Browser() as page:
        page.resize(1000, 1300)
        yield page


@pytest.fixture(scope="module")
def seed_page(tmp_path_factory):
    loss, _ = seed()
    loss.backward()
    path = tmp_path_factory.mktemp("page") / "seed.html"
    ad.draw(loss).save(path)
    return path


@pytest.fixture
def page(chromium, seed_page):
    chromium.prefer("light")
    chromium.open(seed_page)
    yield chromium
    assert chromium.complaints == []
    assert chromium.requests == [seed_page.as_uri()]


def test_it_is_there_at_once(page):
    assert page.run("document.title") == "loss = 0.647"
    assert page.run(f"{SHOWN}.length") == 11
    assert page.run(WORDS).startswith("Use the arrow keys")


def test_without_scripts_the_picture_is_there(chromium, seed_page):
    chromium.ask("Emulation.setScriptExecutionDisabled", value=True)
    chromium.open(seed_page)
    chromium.ask("Emulation.setScriptExecutionDisabled", value=False)
    assert chromium.run(f"{SHOWN}.length") == 11


def test_keys_step_forward_and_then_backward(page):
    said = []
    for _ in range(30):
        page.key("ArrowRight")
        said.append(page.run(WORDS))
    steps = list(dict.fromkeys(said))
    assert [step.split(":")[0] for step in steps] == ["forward"] * 11 + ["backward"] * 9
    assert steps[0] == "forward: X is given: 3 × 2, 1 … 10."
    assert steps[2] == "forward: z₂ = X @ W₁: 3 × 4, −2.3 … 9.0."
    assert steps[11] == "backward: it begins at loss, with ∂L/∂L = 1."
    assert steps[-1] == "backward: ∂L/∂W₁ = Xᵀ @ ∂L/∂z₂. Its size is 0.64."
    assert steps[-2].startswith(
        "backward: ∂L/∂z₂ = ∂L/∂a₂ ⊙ a₂ ⊙ (1 − a₂). Its size is 0.054, 20% of the 0.27 that came in"
    )
    page.key("ArrowLeft")
    assert page.run(WORDS) == steps[-2]
    page.key("Home")
    assert page.run(WORDS).startswith("Use the arrow keys")
    page.key("End")
    assert page.run(WORDS) == steps[-1]


def test_buttons_do_the_same_and_mark_the_card(page):
    for _ in range(3):
        page.click("#next")
    assert page.run(NOW) == ["value z₂ = X @ W₁, 3 × 4, −2.3 … 9.0, size of the gradient 0.054"]
    page.click("#back")
    assert page.run(NOW)[0].startswith("parameter W₁")
    assert not page.run("document.getElementById('next').disabled")


def test_layers_fold_and_unfold(page):
    page.click("[data-box=b0]")
    assert page.run(f"{SHOWN}.length") == 9
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "false"
    page.key("Enter")
    assert page.run(f"{SHOWN}.length") == 11
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.key(" ")
    assert page.run(f"{SHOWN}.length") == 9
    page.click("#fold")
    assert page.run(f"{SHOWN}.length") == 7
    page.key("f")
    assert page.run(f"{SHOWN}.length") == 11


def test_a_step_stays_where_its_card_folds(page):
    for _ in range(3):
        page.key("ArrowRight")
    page.click("[data-box=b0]")
    assert page.run(WORDS).startswith("forward: layer 1 computes σ(· @ W₁)")


def test_without_a_mouse(page):
    reached = []
    for _ in range(8):
        page.key("Tab")
        reached.append(page.run("document.activeElement.id || document.activeElement.dataset.box"))
    assert reached[:5] == ["next", "fold", "theme", "b0", "b1"]


def test_a_screen_reader_is_told(page):
    assert page.run("document.getElementById('words').getAttribute('aria-live')") == "polite"
    assert page.run("document.getElementById('words').getAttribute('role')") == "status"
    unnamed = "[...document.querySelectorAll('button, [role=button], [role=img], [role=group], [role=toolbar]')]"
    assert page.run(f"{unnamed}.filter(e => !e.textContent.trim() && !e.getAttribute('aria-label')).length") == 0
    assert "z₂ = X @ W₁" in page.run("document.querySelector('pre').textContent")


def test_light_and_dark(page):
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "getComputedStyle(document.querySelector('.card.value text[font-weight]')).fill"
    assert [page.run(ground), page.run(ink)] == ["rgb(255, 255, 255)", "rgb(27, 35, 48)"]
    page.prefer("dark")
    dark = [page.run(ground), page.run(ink)]
    assert dark == ["rgb(20, 24, 31)", "rgb(232, 236, 242)"]
    page.click("#theme")
    assert page.run(ground) == "rgb(255, 255, 255)"
    page.key("d")
    assert [page.run(ground), page.run(ink)] == dark


INJECTED = """new Promise(done => {
    const script = document.createElement("script");
    script.textContent = "window.evil = 1";
    document.body.append(script);
    setTimeout(() => done(window.evil), 50);
})"""


def test_the_policy_lets_nothing_else_run(chromium, seed_page):
    chromium.open(seed_page)
    assert chromium.run(INJECTED) is None
    assert chromium.run("fetch('https://example.org').then(() => 'loaded', () => 'refused')") == "refused"
    assert any("Content Security Policy" in str(complaint) for complaint in chromium.complaints)


def test_fifty_cards_are_under_200_kB(chromium, tmp_path):
    model = nn.MLP([2, *[4] * 12, 1], rng=0)
    loss = nn.mse(model(np.ones((3, 2))), np.zeros((3, 1)))
    loss.backward()
    path = tmp_path / "deep.html"
    ad.draw(loss).save(path)
    assert path.stat().st_size < 200_000
    chromium.open(path)
    assert chromium.run(f"{SHOWN}.length") == 13 + 3
    chromium.key("f")
    assert chromium.run(f"{SHOWN}.length") >= 50
    chromium.click("[data-box=b3]")
    assert re.match("layer 4", chromium.run("document.activeElement.textContent"))
    assert chromium.complaints == []


def test_before_a_backward_pass_there_are_only_steps_forward(chromium, tmp_path):
    path = tmp_path / "forward.html"
    ad.draw(seed()[0]).save(path)
    chromium.open(path)
    chromium.key("End")
    assert chromium.run(WORDS) == "forward: loss = Σ h: scalar, 0.647."
