"""tar: what `kubectl cp` talks to on the other side; gzip. Archives are made and read in memory, by Python's modules.

    tar cf - path …        to standard output          tar xf - -C directory        from standard input
    also tf, and files in place of `-`; -z, -m, -p, -v, --no-same-owner and friends are accepted

Names are taken apart before they are used: nothing can be written outside the container's own files, which are plain
data anyway.

Mirrors:  busybox/archival/tar.c
Limits:   8 MiB an archive, and what it unpacks to, 2,000 members.
"""

import gzip
import io
import stat as permissions
import tarfile
from datetime import UTC, datetime

from cluster.runtime.live.commands.call import Call, UsageError
from cluster.runtime.live.files import DIRECTORY, LINK, MAX_BYTES, MAX_FILES, FileError, join, normal

LARGEST = MAX_BYTES * 2
VALUED = "fC"


class _Asked:
    """The command line: mode c, x or t; the archive; where to work; names."""

    def __init__(self, args: list[str]) -> None:
        self.mode, self.archive, self.directory, self.zipped, self.names = "", "-", "", False, []
        self.strip, self.verbose = 0, False
        words, first = list(args), True
        while words:
            word = words.pop(0)
            if word.startswith("--"):
                name, _, value = word[2:].partition("=")
                if name == "strip-components" and value.isdigit():
                    self.strip = int(value[:3])
                elif name in ("file", "directory") and value:
                    self.archive, self.directory = (value, self.directory) if name == "file" else (self.archive, value)
                continue
            if word[:1] != "-" and not first:
                self.names.append(word)
                continue
            if word == "-":
                self.names.append(word)
                continue
            first = False
            for letter in word.lstrip("-"):
                if letter in "cxt":
                    self.mode = letter
                elif letter == "z":
                    self.zipped = True
                elif letter == "v":
                    self.verbose = True
                elif letter in VALUED:
                    if not words:
                        raise UsageError(f"option requires an argument -- '{letter}'")
                    value = words.pop(0)
                    self.archive, self.directory = (value, self.directory) if letter == "f" else (self.archive, value)
        if not self.mode:
            raise UsageError("must specify one of -c, -x, -t")


def tar(call: Call) -> int:
    asked = _Asked(call.args)
    base = call.path(asked.directory or ".")
    if asked.directory and not call.files.is_directory(base):
        return call.failed(f"can't change directory to '{asked.directory}': No such file or directory")
    if asked.mode == "c":
        return _create(call, asked, base)
    data = call.read_all() if asked.archive == "-" else call.files.read(call.path(asked.archive))
    raw = data.encode("latin-1", "replace")
    if raw[:2] == b"\x1f\x8b":
        raw = _unzipped(raw)
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as archive:
            return _extract(call, asked, base, archive)
    except (tarfile.TarError, EOFError, ValueError, OverflowError, UnicodeError, RecursionError):
        return call.failed("invalid tar magic" if raw.strip(b"\0") else "short read")


def _unzipped(raw: bytes) -> bytes:
    """At most so much: a bomb must not go off here. Errors: FileError."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            data = stream.read(LARGEST + 1)
    except (OSError, EOFError, ValueError):
        raise FileError("invalid magic") from None
    if len(data) > LARGEST:
        raise FileError(f"the archive is larger than {LARGEST} bytes")
    return data


def _create(call: Call, asked: _Asked, base: str) -> int:
    made = io.BytesIO()
    stripped = False
    with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in asked.names:
            path = normal(join(base, name))
            if call.files.stat(path, follow=False) is None:
                call.failed(f"{name}: No such file or directory")
                continue
            stripped = stripped or name.startswith("/")
            for one in call.files.walk(path):
                rest = one[len(path) :] if path != "/" else one
                _add(call, archive, one, (name.rstrip("/") + rest).lstrip("/") or ".")
                if made.tell() > LARGEST:
                    raise FileError(f"the archive would be larger than {LARGEST} bytes")
    if stripped:
        call.err("tar: removing leading '/' from member names\n")
    data = made.getvalue()
    if asked.zipped:
        data = _zipped(data)
    text = data.decode("latin-1")
    if asked.archive == "-":
        call.out(text)
    else:
        call.files.write(call.path(asked.archive), text)
    if call.code:
        call.err("tar: error exit delayed from previous errors\n")
    return call.code


def _add(call: Call, archive: tarfile.TarFile, path: str, name: str) -> None:
    entry = call.files.stat(path, follow=False)
    if entry is None:
        return
    member = tarfile.TarInfo(name.encode("latin-1", "replace").decode("utf-8", "surrogateescape"))
    member.mode, member.mtime = entry.mode, int(call.date_of(entry.changed).timestamp())
    member.uname = member.gname = "root"
    if entry.kind == DIRECTORY:
        member.type = tarfile.DIRTYPE
        archive.addfile(member)
    elif entry.kind == LINK:
        member.type, member.linkname = tarfile.SYMTYPE, entry.content
        archive.addfile(member)
    else:
        content = entry.content.encode("latin-1", "replace")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def _extract(call: Call, asked: _Asked, base: str, archive: tarfile.TarFile) -> int:
    count = 0
    for member in archive:
        count += 1
        if count > MAX_FILES:
            raise FileError(f"the archive has more than {MAX_FILES} members")
        name = member.name.encode("utf-8", "surrogateescape").decode("latin-1")
        if asked.names and not any(name == one or name.startswith(one.rstrip("/") + "/") for one in asked.names):
            continue
        if asked.mode == "t":
            call.out(f"{_long(call, member)} {name}\n" if asked.verbose else f"{name}\n")
            continue
        parts = [part for part in name.split("/") if part not in ("", ".")][asked.strip :]
        if ".." in parts:
            call.failed(f"name with '..' component: {name}")
            continue
        path = normal(join(base, "/".join(parts)))
        if asked.verbose:
            call.out(f"{name}\n")
        _unpack(call, archive, member, path)
    return call.code


def _long(call: Call, member: tarfile.TarInfo) -> str:
    kind = permissions.S_IFDIR if member.isdir() else permissions.S_IFLNK if member.issym() else permissions.S_IFREG
    moment = datetime.fromtimestamp(min(max(member.mtime, 0), 1 << 36), UTC)
    owner = f"{member.uname or member.uid}/{member.gname or member.gid}"
    return f"{permissions.filemode(kind | member.mode)} {owner} {member.size:9d} {moment:%Y-%m-%d %H:%M:%S}"


def _unpack(call: Call, archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    try:
        parent = path.rpartition("/")[0]
        if parent and not call.files.is_directory(parent):
            call.files.mkdir(parent, parents=True)
        if member.isdir():
            call.files.mkdir(path, parents=True)
        elif member.issym():
            if call.files.stat(path, follow=False) is not None:
                call.files.remove(path)
            call.files.link(path, member.linkname.encode("utf-8", "surrogateescape").decode("latin-1"))
        elif member.isfile():
            stream = archive.extractfile(member)
            data = stream.read(LARGEST + 1) if stream is not None else b""
            call.files.write(path, data.decode("latin-1"), mode=member.mode & 0o777)
    except FileError as error:
        call.failed(f"can't open '{member.name}': {error}")


def gzip_(call: Call) -> int:
    """gzip, gunzip, zcat [-c] [-d] [-k] [-f] [file …]: FILE becomes FILE.gz, or the other way round."""
    options, names = call.options("cdfkqvnt123456789", "", ("stdout", "decompress", "keep", "force"))
    unpacks = call.name in ("gunzip", "zcat") or bool({"d", "decompress"} & set(options))
    shows = call.name == "zcat" or bool({"c", "stdout"} & set(options))
    for name in names or ["-"]:
        try:
            data = call.read_all() if name == "-" else call.files.read(call.path(name))
            made = _changed(data, unpacks)
        except FileError as error:
            call.failed(f"{name if name != '-' else 'stdin'}: {error}")
            continue
        if name == "-" or shows:
            call.out(made)
            continue
        if name.endswith(".gz") != unpacks:
            call.failed(f"{name}: unknown suffix - ignored" if unpacks else f"{name} already has .gz suffix")
            continue
        call.files.write(call.path(name.removesuffix(".gz") if unpacks else f"{name}.gz"), made)
        if not {"k", "keep"} & set(options):
            call.files.remove(call.path(name))
    return call.code


def _changed(data: str, unpacks: bool) -> str:
    """Errors: FileError."""
    raw = data.encode("latin-1", "replace")
    return (_unzipped(raw) if unpacks else _zipped(raw)).decode("latin-1")


def _zipped(raw: bytes) -> bytes:
    """Stored, not squeezed: every release of zlib squeezes to other bytes, and a cluster must not depend on it."""
    return gzip.compress(raw, compresslevel=0, mtime=0)


ARCHIVE = {"tar": tar, **dict.fromkeys(("gzip", "gunzip", "zcat"), gzip_)}
