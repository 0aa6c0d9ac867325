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
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PLACE = re.compile(r"(\d+)\.([A-Za-z]+)")
_PATTERN = re.compile(r"([A-Za-z]+|[α-ωΑ-Ω])(?:_(hat|bar|tilde|dot))?_?([0-9]+)?(?:_([0-9]+))?")


def written(name: str, style: str = "unicode") -> str:
    """A name as mathematics writes it; one that is no symbol stays as it is.

    >>> [written(name) for name in ("W1", "y_hat", "delta1", "h_3", "x_train", "0.weight", "성적")]
    ['W₁', 'ŷ', 'δ₁', 'h₃', 'x_train', 'weight₀', '성적']
    >>> [written(name, "latex") for name in ("W1", "y_hat", "delta1", "z2_1", "loss")]
    ['W_{1}', '\\\\hat{y}', '\\\\delta_{1}', 'z_{2}^{(1)}', '\\\\mathrm{loss}']
    """
    if place := _PLACE.fullmatch(name):  # of a sequence of modules
        name = f"{place[2]}{place[1]}"
    match = _PATTERN.fullmatch(name)
    stem, accent, number, version = match.groups() if match else (name, None, None, None)
    letter = GREEK.get(stem, stem)
    if not match or (accent and len(letter) > 1):
        return as_it_is(name, style)
    if style == "unicode":
        symbol = letter + (_ACCENTS[accent][0] if accent else "")
        lower = (number or "").translate(_SUBSCRIPTS)
        upper = f"⁽{version.translate(_SUPERSCRIPTS)}⁾" if version else ""
        return unicodedata.normalize("NFC", symbol) + lower + upper
    symbol = _COMMANDS.get(letter, letter if len(letter) == 1 else f"\\mathrm{{{escaped(letter)}}}")
    symbol = f"{_ACCENTS[accent][1]}{{{symbol}}}" if accent else symbol
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


def as_it_is(name: str, style: str) -> str:
    """A name that is no symbol."""
    return name if style == "unicode" else f"\\mathrm{{{escaped(name)}}}"


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
