"""Everything that the pages say is in the compiled Portuguese catalogue, and no entry of its source is empty."""

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "locale/pt_BR/LC_MESSAGES"
SAYING = {"_", "_t", "gettext", "gettext_lazy", "gettext_noop", "ngettext"}
UNTRANSLATED = re.compile(r'^msgid "(.+)"\nmsgstr ""\n\n', re.MULTILINE)


def said_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SAYING and node.args:
            text = node.args[0]
            if isinstance(text, ast.Constant):
                yield text.value


def texts() -> Iterator[str]:
    for path in sorted((ROOT / "dashboard").rglob("*.py")):
        yield from said_in(path.read_text())
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for call in re.findall(r" (n?gettext\(.*?\)) ", templatize(path.read_text())):
            yield from said_in(call)


@pytest.fixture(scope="module")
def catalogue() -> gettext.GNUTranslations:
    with (LOCALE / "django.mo").open("rb") as file:
        return gettext.GNUTranslations(file)


def test_nothing_is_left_in_english(catalogue):
    known = {key if isinstance(key, str) else key[0] for key in catalogue._catalog}

    assert sorted(set(texts()) - known) == []


def test_no_entry_of_the_source_is_empty():
    assert UNTRANSLATED.findall((LOCALE / "django.po").read_text()) == []
