"""Commands in a container: text, files, archives, the machine."""

import io
import tarfile
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.live.commands import regex
from cluster.runtime.live.commands.archive import ARCHIVE
from cluster.runtime.live.commands.disk import DISK
from cluster.runtime.live.commands.text import TEXT
from cluster.runtime.live.files import MAX_BYTES, Mount
from tests.cluster.runtime.live.house import House, script


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("printf 'b\\na\\nb\\n' | sort | uniq -c | sort -rn", "      2 b\n      1 a\n"),
        ("printf 'a:b:c\\n' | cut -d: -f1,3", "a:c\n"),
        ("echo one two | awk '{print $2, NF}'", "two 2\n"),
        ("printf 'x=1\\ny=2\\n' | grep -n y; grep -c root /etc/passwd", "2:y=2\n1\n"),
        ("grep -E '^(root|nobody):' /etc/passwd | wc -l", "2\n"),
        ("echo Hello | sed -e s/l/L/g", "HeLLo\n"),
        ("printf '1\\n2\\n3\\n' | sed -n '2,3p'; printf '1\\n2\\n' | sed 1d", "2\n3\n2\n"),
        ("seq 3 | tac; seq 10 | head -n 2; seq 10 | tail -n 1", "3\n2\n1\n1\n2\n10\n"),
        ("echo -n abc | md5sum", "900150983cd24fb0d6963f7d28e17f72  -\n"),
        ("echo hi | base64 | base64 -d", "hi\n"),
        ("echo a | tee /tmp/t; cat /tmp/t", "a\na\n"),
        ("mkdir -p /a/b && touch /a/b/c && find /a -type f; rm -r /a; ls /a 2>/dev/null || echo no", "/a/b/c\nno\n"),
        ("cp /etc/passwd /tmp/p; mv /tmp/p /tmp/q; ls /tmp", "q\n"),
        ("ln -s /etc/hosts /tmp/l; readlink /tmp/l; basename /a/b.c .c; dirname /a/b", "/etc/hosts\nb\n/a\n"),
        ("chmod 600 /etc/passwd; stat -c '%a %n' /etc/passwd", "600 /etc/passwd\n"),
        ("rm /etc/passwd; ls /etc/passwd 2>&1", "ls: /etc/passwd: No such file or directory\n"),
        ("hostname; whoami; pwd; uname; id -u; nproc", "pod-1\nroot\n/\nLinux\n0\n4\n"),
        ("which ls; which bash || echo none", "/bin/ls\nnone\n"),
        ("env -i A=1 env; printenv HOME", "A=1\n/root\n"),
        ("echo a b | xargs -n 2 echo got", "got a b\n"),
        ("dd if=/dev/zero of=/tmp/z bs=1k count=2 2>/dev/null; wc -c /tmp/z", "2048 /tmp/z\n"),
        ("test 3 -gt 2 -a -d /etc && echo both; [ -z '' ] && echo empty", "both\nempty\n"),
        ("date -u +%Y-%m-%dT%H:%M:%S", "1970-01-01T00:00:10\n"),
    ],
)  # fmt: skip
def test_commands_print_what_busybox_prints(command: str, printed: str):
    assert script(command).output == printed


def test_ps_shows_process_1_and_the_session():
    lines = script("ps").output.splitlines()

    assert lines[0] == "PID   USER     TIME  COMMAND"
    assert lines[1].split() == ["1", "root", "0:00", "sleep", "9"]
    assert lines[2].endswith("sh -c ps")


def test_a_full_disk_says_so():
    house = script(f"dd if=/dev/urandom of=/tmp/big bs=1M count={MAX_BYTES // (1 << 20) + 1} 2>&1; echo $?")

    assert "No space left on device" in house.output
    assert house.output.endswith("1\n")


def test_mounted_data_can_be_read_and_not_written():
    mounts = [Mount("/config", data={"a.txt": "hello\n", "sub/b": "x"}, readonly=True), Mount("/data", "disk")]

    house = script(
        "cat /config/a.txt; ls /config; echo x > /config/new; echo y > /data/kept; cat /data/kept", mounts=mounts
    )

    assert house.output == "hello\na.txt\nsub\ny\n"
    assert house.errors == "sh: can't create /config/new: Read-only file system\n"
    assert house.disks["disk"]["/kept"][3] == "y\n"


def test_an_archive_goes_in_and_comes_out_byte_for_byte():
    content = bytes(range(256)) * 20
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        member = tarfile.TarInfo("dir/file")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    house = House().start("tar", "xmf", "-", "-C", "/tmp", stdin=True)
    data = made.getvalue().decode("latin-1")

    for start in range(0, len(data), 1_000):
        house.type(data[start : start + 1_000])
    house.end_of_input()

    assert (house.code, house.errors) == (0, "")
    packed = house.start("tar", "cf", "-", "/tmp/dir").output.encode("latin-1")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        found = archive.extractfile("tmp/dir/file")
        assert found is not None
        assert found.read() == content


def test_an_archive_cannot_climb_out_of_its_directory():
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name in ("../../etc/evil", "/abs"):
            archive.addfile(tarfile.TarInfo(name))
    house = House().start("tar", "xf", "-", "-C", "/tmp", stdin=True)

    house.type(made.getvalue().decode("latin-1")).end_of_input()

    assert house.code == 1
    assert sorted(house.disks["own"]) == ["/tmp/abs"]


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=2_000))
def test_tar_survives_any_input(data: bytes):
    house = House().start("tar", "xf", "-", stdin=True)

    house.type(data.decode("latin-1")).end_of_input()

    assert house.code in (0, 1)


@pytest.mark.parametrize(
    ("pattern", "extended", "text", "groups"),
    [
        ("a*b", False, "xaab", ()),
        ("\\(a\\|b\\)c", False, "bc", ("b",)),
        ("^[^:]+:([0-9]{2,3})$", True, "ab:123", ("123",)),
        ("\\bword\\b", False, "a word.", ()),
        ("[[:upper:]]x", False, "aBx", ()),
        ("a.c", True, "abc", ()),
    ],
)
def test_patterns_find_what_they_mean(pattern: str, extended: bool, text: str, groups: tuple[str, ...]):
    found = regex.compile(pattern, extended).search(text)

    assert found is not None
    assert found.groups == groups


def test_no_pattern_takes_exponential_time():
    began = time.process_time()

    for pattern in ("(a*)*b", "(a|a)*b", "(a|aa)+$", "(.*)*x(.*)*"):
        assert regex.compile(pattern, True).search("a" * 300 + "c") is None

    assert time.process_time() - began < 20


@settings(max_examples=200, deadline=None)
@given(st.text("ab()[]{}*+?|\\^$.,12-", max_size=15), st.booleans(), st.text("ab12\n", max_size=20))
def test_any_pattern_matches_or_is_refused(pattern: str, extended: bool, text: str):
    try:
        found = regex.compile(pattern, extended).search(text)
    except regex.BadPattern:
        return
    assert found is None or 0 <= found.start <= found.end <= len(text)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(sorted({*TEXT, *DISK, *ARCHIVE} | {"date", "env", "ps", "kill", "dd", "xargs", "curl", "wget"})),
    st.lists(st.text("-abcnel/.*12:+%\\{}$'\"[]é ", max_size=8), max_size=4),
    st.text(max_size=40),
)  # fmt: skip
def test_no_argument_breaks_a_command(name: str, arguments: list[str], text: str):
    words = [word.encode().decode("latin-1") for word in arguments]
    house = House("nginx").start(name, *words, stdin=True)

    house.type(text.encode().decode("latin-1")).end_of_input().pass_time(3)

    assert house.code is None or 0 <= house.code <= 255


def test_a_package_is_there_after_it_was_installed():
    lines = "dig -v 2>/dev/null; echo $?; apk add --no-cache bind-tools; dig +short localhost; echo $?"
    alpine = script(lines, "alpine:3.22")
    assert alpine.output.startswith("127\n(1/1) Installing bind-tools\nOK: 13 MiB in 17 packages\n")
    assert not alpine.output.endswith("127\n")

    lines = "apt-get install -y jq; echo $?; apt-get update -q >/dev/null && apt-get install -y jq; echo $?"
    debian = script(lines, "debian")
    assert debian.errors == "E: Unable to locate package jq\n"
    assert "Setting up jq ...\n0\n" in debian.output

    assert script("apk add nosuch", "alpine").errors.startswith("ERROR: unable to select packages:\n  nosuch")
    assert script("apt-get update", "busybox").code == 127


MANY_LINES = "seq 50000 > /tmp/a; cat /tmp/a /tmp/a /tmp/a /tmp/a /tmp/a > /tmp/b; "


@pytest.mark.parametrize(
    "command",
    ["sort /tmp/b", "uniq /tmp/b", "cut -c1 /tmp/b", "grep 7 /tmp/b", "sed s/1/2/ /tmp/b", "nl /tmp/b", "tac /tmp/b",
     "rev /tmp/b", "head -n -1 /tmp/b", "fold /tmp/b", "cat -n /tmp/b", "paste /tmp/b /tmp/b"],
)  # fmt: skip
def test_a_command_looks_at_so_many_lines_at_once_and_then_says_so(command: str):
    house = script(MANY_LINES + command)

    assert "orrery: more than 200000 lines at one instant are not modelled" in house.errors
    assert house.code


def test_lines_that_a_command_looks_at_take_its_time():
    short, long = script("seq 100 | sort -n | tail -1"), script("seq 90000 | sort -n | tail -1; sort -n /etc/passwd")

    assert short.now < long.now


def test_a_long_output_is_handed_on_in_one_piece():
    began = time.process_time()
    house = script(
        "dd if=/dev/zero of=/tmp/z bs=1M count=1 2>/dev/null; od -c /tmp/z | wc -l; tr '\\0' x < /tmp/z | fold | wc"
    )

    assert house.output.split()[0] == "65537"
    assert time.process_time() - began < 5


def test_what_is_missing_in_a_line_is_not_searched_for():
    assert script("seq 100000 | grep -E '(a*)*b'; echo $?").output == "1\n"
    assert script("seq 100000 | grep -c 9").output == "40951\n"


@pytest.mark.parametrize(
    ("command", "printed"),
    [
        ("tr -dc 'A-Za-z0-9' < /dev/urandom | head -c 16 | wc -c", "16\n"),
        ("cat /dev/urandom | tr -dc 'a-z' | fold -w 8 | head -n 2 | wc -c", "18\n"),
        ("head -c 5 /dev/zero | od -c; head -c 5 /dev/random | wc -c",
         "0000000  \\0  \\0  \\0  \\0  \\0\n0000005\n5\n"),
        ("base64 < /dev/urandom | head -n 2 | wc -c; base64 -w 0 /etc/shells", "154\nL2Jpbi9zaAo="),
        ("printf 'a bc def' | fold -s -w 4; echo; seq -s '' 20 | fold -w 10", "a \nbc \ndef\n1234567891\n0111213141\n"
         "5161718192\n0\n"),
        ("echo hello | gzip | gunzip; echo hi > /tmp/f; gzip /tmp/f; ls /tmp; zcat /tmp/f.gz; gunzip /tmp/f.gz; ls /tmp"
         "; rm -r /tmp/f", "hello\nf.gz\nhi\nf\n"),
        ("echo x | gunzip 2>&1; gunzip /etc/shells 2>&1; tar cvf /tmp/t -C /etc shells; tar tvf /tmp/t",
         "gunzip: stdin: invalid magic\ngunzip: /etc/shells: invalid magic\n-rw-r--r-- root/root         8 "
         "1970-01-01 00:00:00 shells\n"),
        ("find /etc -name passwd -o -name group; find /etc -name '*s*' -not -path '*/pass*'",
         "/etc/group\n/etc/passwd\n/etc/shells\n"),
        ("find /etc '(' -name passwd -o -name shells ')' -type f -exec echo got {} ';' -print",
         "/etc/passwd\n/etc/shells\ngot /etc/passwd\ngot /etc/shells\n"),
        ("find /etc -type f -exec echo {} +; find /etc -type f -quit; find /etc -perm 644 -name g*; find / -bogus 2>&1",
         "/etc/group /etc/passwd /etc/shells\n/etc/group\nfind: unrecognized: -bogus\n"),
        ("find / -maxdepth 1 -type d '!' -name 'd*' '!' -name '[e-v]*' '!' -name bin", "/\n"),
    ],
)  # fmt: skip
def test_devices_archives_and_searches_answer_as_those_of_busybox(command: str, printed: str):
    assert script(command).output == printed
