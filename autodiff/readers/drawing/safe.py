"""Any text made safe to show: names come from users, and a name may be anything."""

from __future__ import annotations

import html
import unicodedata

from ...symbols import visible

LONGEST = 60  # characters of a text that are shown


def plain(text: str, longest: int = LONGEST) -> str:
    """A text as one line that changes nothing around it: control characters become visible, what is too long is cut.

    >>> plain("a\\nb\\0"), plain("x" * 20, 10)
    ('a␊b␀', 'xxxxxxxxx…')
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return visible(text)


def markup(text: str, longest: int = LONGEST) -> str:
    """A text for HTML and SVG."""
    return html.escape(plain(text, longest))


def label(text: str, longest: int = LONGEST) -> str:
    """A text for the HTML-like labels of Graphviz, which reads the backslash, too, wants no element to be empty, and
    stumbles over one that is nothing but a closing bracket."""
    shown = markup(text, longest).replace("\\", "\\\\").replace("]", "&#93;")
    return shown if shown.strip() else "&#160;"


def isolated(text: str) -> str:
    """A text whose direction ends with it: right-to-left names leave the rest of a line in its place."""
    turns = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}" if turns else text
