"""Colours that meet on the page can be told apart: 4.5:1 for text, 3:1 for borders, in both themes."""

import re
from pathlib import Path

import pytest

TOKENS = Path(__file__).resolve().parents[2] / "static" / "orrery" / "css" / "tokens.css"
COLOURS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", TOKENS.read_text())
}
BEHIND = {
    "ink": ("surface", "bg", "raise", "run-soft", "accent-soft", "fail-soft", "pend-soft", "done-soft"),
    "ink-2": ("surface", "bg", "raise", "sunk", "term-soft", "accent-soft"),
    "run": ("surface", "run-soft"),
    "fail": ("surface", "fail-soft"),
    "pend": ("surface", "pend-soft"),
    "accent": ("surface", "accent-soft"),
    "term": ("surface",),
    "done": ("surface", "done-soft"),
    "accent-ink": ("accent",),
    "line-2": ("surface", "bg"),
}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("front", "back"), [(f, b) for f, backs in BEHIND.items() for b in backs])
def test_two_colours_that_meet_can_be_told_apart(front, back, theme):
    needed = 3 if front.startswith("line") else 4.5

    assert contrast(COLOURS[front][theme], COLOURS[back][theme]) >= needed
