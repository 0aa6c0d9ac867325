"""Any text made safe to show: names come from users, and a name may be anything."""

from __future__ import annotations

import html
import re
import unicodedata

LONGEST = 60  # characters of a text that are shown

# What is no character in XML, has no meaning in a label, or turns the direction of what follows.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f\u061c\ud800-\udfff\ufffe\uffff]")


def plain(text: str, longest: int = LONGEST) -> str:
    """A text as one line that changes nothing around it: control characters become visible, what is too long is cut.

    >>> plain("a\\nb\\0"), plain("x" * 20, 10)
    ('a␊b␀', 'xxxxxxxxx…')
    """
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return _UNSAFE.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def markup(text: str, longest: int = LONGEST) -> str:
    """A text for HTML and SVG."""
    return html.escape(plain(text, longest))


def label(text: str, longest: int = LONGEST) -> str:
    """A text for the HTML-like labels of Graphviz, which reads the backslash, too, and wants no element to be empty."""
    shown = markup(text, longest).replace("\\", "\\\\")
    return shown if shown.strip() else "&#160;"


def isolated(text: str) -> str:
    """A text whose direction ends with it: right-to-left names leave the rest of a line in its place."""
    turns = any(unicodedata.bidirectional(character) in ("R", "AL") for character in text)
    return f"\N{FIRST STRONG ISOLATE}{text}\N{POP DIRECTIONAL ISOLATE}" if turns else text
