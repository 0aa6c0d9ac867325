"""Symbols: how mathematics writes a name (`W1` is W₁, `y_hat` is ŷ, `delta1` is δ₁), and how wide text is."""

from __future__ import annotations

import re
import unicodedata

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "eps": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "kappa": "κ", "lambda": "λ", "lambda_": "λ", "lam": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π",
    "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ",
    "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
_COMMANDS = {letter: "\\" + name for name, letter in GREEK.items() if name not in ("eps", "lam", "lambda_")}
_ACCENTS = {
    "hat": ("\u0302", "\\hat"),
    "bar": ("\u0304", "\\bar"),
    "tilde": ("\u0303", "\\tilde"),
    "dot": ("\u0307", "\\dot"),
}
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f\u061c\ud800-\udfff\ufffe\uffff]")
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLACE = re.compile(r"(\d+(?:\.\d+)*)\.([^\W\d](?:.*\D)?)")
_PATTERN = re.compile(
    r"([A-Za-z]+?|[α-ωΑ-Ω])(?:_(hat|bar|tilde|dot)|(Hat|Bar|Tilde|Dot))?_?([0-9]+)?(?:_([0-9]+))?"
)  # a letter or word, an accent, a number, the number of one of several values


def written(name: str, style: str = "unicode") -> str:
    """A name as mathematics writes it; one that is no symbol stays as it is.

    >>> [written(name) for name in ("W1", "y_hat", "yHat", "delta1", "h_3", "x_train", "0.weight", "성적")]
    ['W₁', 'ŷ', 'ŷ', 'δ₁', 'h₃', 'x_train', 'weight₀', '성적']
    >>> [written(name, "latex") for name in ("W1", "y_hat", "delta1", "z2_1", "loss")]
    ['W_{1}', '\\\\hat{y}', '\\\\delta_{1}', 'z_{2}^{(1)}', '\\\\mathrm{loss}']
    """
    if place := _PLACE.fullmatch(name):  # of a sequence of modules
        number = place[1].translate(_SUBSCRIPTS) if style == "unicode" else f"_{{{place[1]}}}"
        return as_it_is(place[2], style) + number
    match = _PATTERN.fullmatch(name)
    stem, accent, capital, number, version = match.groups() if match else (name, *[None] * 4)
    accent, letter = accent or (capital and capital.lower()), GREEK.get(stem, stem)
    if not match or (accent and len(letter) > 1):
        return as_it_is(name, style)
    sign = _ACCENTS[accent] if accent else ("", "")
    if style == "unicode":
        lower = (number or "").translate(_SUBSCRIPTS)
        upper = f"⁽{version.translate(_SUPERSCRIPTS)}⁾" if version else ""
        return unicodedata.normalize("NFC", letter + sign[0]) + lower + upper
    symbol = _COMMANDS.get(letter, letter if len(letter) == 1 else f"\\mathrm{{{escaped(letter)}}}")
    symbol = f"{sign[1]}{{{symbol}}}" if accent else symbol
    return symbol + (f"_{{{number}}}" if number else "") + (f"^{{({version})}}" if version else "")


_SPECIAL = {
    "_": r"\_",
    "%": r"\%",
    "#": r"\#",
    "$": r"\$",
    "&": r"\&",
    "{": r"\{",
    "}": r"\}",
    "\\": r"\backslash ",
    "^": r"\^{}",
    "~": r"\~{}",
}


_OPERATION = re.compile(r"[\s+\-*/@^=<>&|~%,;:·⊙−√¬]")


def is_one(name: str) -> bool:
    """Whether a name stands in formulas without brackets: `a + b` may be a name, too."""
    return len(name) == 1 or not _OPERATION.search(name)


def as_it_is(name: str, style: str) -> str:
    """A name that is no symbol."""
    return visible(name) if style == "unicode" else f"\\mathrm{{{escaped(visible(name))}}}"


# What is no character in XML, has no meaning in a label, moves a terminal, or turns the direction of what follows.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200e\u200f\u061c\ud800-\udfff\ufffe\uffff]")


def visible(text: str) -> str:
    """A text as one line that changes nothing around it: what has no shape of its own is given one.

    >>> visible("a\\nb\\0")
    'a␊b␀'
    """
    return _UNSAFE.sub(_shape, text)


def _shape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"


def escaped(text: str) -> str:
    """Text that LaTeX shows as it is."""
    return "".join(_SPECIAL.get(character, character) for character in text)


def width(text: str) -> int:
    """How many columns a terminal needs for a text.

    >>> width("ŷ"), width("y\\u0302"), width("성적")
    (1, 1, 4)
    """
    return sum(0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF") for c in text)


def padded(text: str, columns: int) -> str:
    """The text, filled up with blanks."""
    return text + " " * max(0, columns - width(text))
