"""A terminal: what happens to keys on their way to a program, and to its output on the way back.

    keys     echoed; erased by backspace, ^U and ^W; a line at a time is handed on; ^D at its beginning is the end
    ^C       interrupts whoever is in the foreground
    output   a new line becomes carriage return and line feed

State: {"line": what is being typed, "ready": whole lines, "ends": how many ends of file, "escape": inside an escape
sequence, "columns", "rows"}; "silent" while a password is typed.

Mirrors:  linux/drivers/tty/n_tty.c in canonical mode
Left out: raw mode, history, completion: cursor keys do nothing.
"""

from typing import Any

Terminal = dict[str, Any]
LONGEST_LINE = 4096
INTERRUPT, END, ERASE_LINE, ERASE_WORD, ESCAPE = "\x03", "\x04", "\x15", "\x17", "\x1b"


def opened() -> Terminal:
    return {"line": "", "ready": "", "ends": 0, "escape": False, "columns": 80, "rows": 24}


def typed(terminal: Terminal, keys: str) -> tuple[str, bool]:
    """Take what was typed. Returns (what appears on the screen, was ^C pressed?)."""
    screen, interrupted = [], False
    for key in keys:
        if terminal["escape"]:
            terminal["escape"] = not (key.isalpha() or key == "~")
        elif key == ESCAPE:
            terminal["escape"] = True
        elif key in "\r\n":
            terminal["ready"] += terminal["line"] + "\n"
            terminal["line"] = ""
            screen.append("\r\n")
        elif key in "\x7f\b":
            if terminal["line"]:
                terminal["line"] = terminal["line"][:-1]
                screen.append("\b \b")
        elif key == ERASE_LINE:
            screen.append("\b \b" * len(terminal["line"]))
            terminal["line"] = ""
        elif key == ERASE_WORD:
            kept = terminal["line"].rstrip(" ")
            kept = kept[: kept.rfind(" ") + 1]
            screen.append("\b \b" * (len(terminal["line"]) - len(kept)))
            terminal["line"] = kept
        elif key == INTERRUPT:
            screen.append("^C")
            terminal["line"], terminal["ready"], interrupted = "", "", True
        elif key == END:
            if terminal["line"]:
                terminal["ready"] += terminal["line"]
                terminal["line"] = ""
            else:
                terminal["ends"] = 1
        elif (key >= " " or key == "\t") and len(terminal["line"]) < LONGEST_LINE:
            terminal["line"] += key
            screen.append("" if terminal.get("silent") else key)
    return "".join(screen), interrupted


def shown(text: str) -> str:
    """Output as the screen needs it."""
    return text.replace("\n", "\r\n")
