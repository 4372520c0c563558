"""Template filters: simulated times and spans as people say them, and commands that break where they may."""

import re

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

from dashboard import story

register = template.Library()
SECOND = 1_000_000
FLAG = re.compile(r"(?<!\S)--?[a-z][\w-]*(?:=\S{1,24}(?!\S))?")


@register.filter
def simtime(us: int) -> str:
    """389412000 as 06:29.4; with hours from the first hour on."""
    tenths = max(int(us), 0) * 10 // SECOND
    hours, minutes, seconds = tenths // 36_000, tenths // 600 % 60, tenths % 600
    clock = f"{minutes:02d}:{seconds // 10:02d}.{seconds % 10}"
    return f"{hours}:{clock}" if hours else clock


@register.filter
def span(us: int) -> str:
    """A wait as people say it: 240 ms, 38 s, 4 min 54 s, 2 h 5 min."""
    if us < SECOND:
        return f"{us // 1000} ms"
    seconds = round(us / SECOND)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min" + (f" {seconds % 60} s" if seconds % 60 else "")
    return f"{seconds // 3600} h" + (f" {seconds // 60 % 60} min" if seconds // 60 % 60 else "")


@register.filter
def short(key: str) -> str:
    """`web-jrw25` for `default/web-55gcfcb6f-jrw25`; other namespaces are kept."""
    return story.short(key.removeprefix("default/"))


@register.filter
def flags(line: str) -> SafeString:
    """A command whose flags stay whole: browsers break lines behind each hyphen of `--replicas`."""
    return mark_safe(FLAG.sub(r'<span class="nb">\g<0></span>', conditional_escape(line)))
