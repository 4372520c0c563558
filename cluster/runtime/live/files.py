"""A container's files: what its image brings, what was written since, what is mounted, and /proc.

    image      computed from the catalogue: a root file system with the files that lessons look at
    layer      what this container wrote: {path: [kind, mode, changed, content]}; None where it deleted. A fifth
               element: so many zeros follow, which take room but are not kept (dd from /dev/zero, fallocate)
    volumes    disks of their own, shared by whoever mounts them, or read-only data (ConfigMap, Secret …)
    /proc      made up when somebody looks; /proc/1/root of a container that shares its processes is the other's files

Contents are text of bytes: one character is one byte (latin-1), so that every content is plain JSON.

Mirrors:  overlayfs and bind mounts, as a process sees them
Limits:   4 MiB and 2,000 files a disk, zeros aside, or what the machine's disk has left; then "No space left on
          device". A file of more than 4 MiB of zeros can't be read ("Cannot allocate memory") or appended to ("File too
          large").
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

MAX_BYTES = 4 * 1024 * 1024
MAX_FILES = 2_000
MAX_PATH = 4_096
BLOCK = 4_096
WORK = 512
USUAL, TAKEN = 100 << 30, 4 << 30
FILE, DIRECTORY, LINK = "f", "d", "l"
CLAIM = "claim/"  # How the disks of claims are called.

Disk = dict[str, Any]  # {path: [kind, mode, changed, content, perhaps zeros] or None}


class FileError(Exception):
    """`str()` is strerror's text."""


class Entry(NamedTuple):
    """kind: f, d or l; mode: permission bits; changed: microseconds since t = 0; content: bytes, or a link's target.

    zeros: how many bytes of zeros follow the content.
    """

    kind: str
    mode: int
    changed: int
    content: str = ""
    zeros: int = 0

    @property
    def size(self) -> int:
        return len(self.content) + self.zeros

    @property
    def blocks(self) -> int:
        """Of the disk, that it takes: a directory one, a link none."""
        return int(self.kind == DIRECTORY) if self.kind != FILE else -(-self.size // BLOCK)


@dataclass
class Mount:
    """`disk`: the key of a writable disk, and where in it; else `data`: {relative path: content}, read-only.

    `base`: what was on the disk before anybody wrote on it, by its paths.
    """

    path: str
    disk: str = ""
    subpath: str = ""
    data: Mapping[str, str] = field(default_factory=dict)
    readonly: bool = False
    source: str = "/dev/sda1"
    kind: str = "ext4"
    base: Mapping[str, Entry] = field(default_factory=dict)


class Files:
    """The file system of one container at one moment. `disks`: key -> disk; changed ones are in `written`."""

    def __init__(
        self, image: Mapping[str, Entry], disks: dict[str, Disk], own: str, mounts: Iterable[Mount], now: int
    ) -> None:
        self.image, self.disks, self.own, self.now = image, disks, own, now
        self.mounts = sorted(mounts, key=lambda mount: mount.path)
        self.proc: Mapping[str, Entry] = {}
        self.elsewhere: dict[str, Files] = {}  # Path -> other files that are seen there.
        self.written: dict[str, None] = {}
        self.asked_proc = False  # Has anybody looked at /proc, which is another one every time?
        self.room: Callable[[int], int | None] = lambda size: None  # What is left on the machine's disk, of somebody …
        self.space: Callable[[], tuple[int, int]] = lambda: (USUAL, USUAL - TAKEN)  # Bytes of that disk: all, and left.
        self.grown = 0  # … who wants `size` bytes (None: more than enough); what this run has taken of that: blocks.
        self.allocated = False  # Did a file with zeros come, grow or go?
        self.work = 0  # What reading and writing cost, in steps of the kernel: one for WORK characters.
        self._images: dict[int, Mapping[str, Entry]] = {}
        for mount in self.mounts:
            self._images[id(mount)] = _tree(mount.data)

    # --- looking --------------------------------------------------------------------------------------------

    def resolve(self, path: str, follow: bool = True) -> str:
        """The real path behind links. Errors: FileError for a circle of links."""
        for _ in range(16):
            there = self._elsewhere(path)
            if there is not None:
                prefix, other, rest = there
                return normal(prefix + other.resolve(rest, follow))
            entry = self._entry(path)
            if entry is None and path != "/":
                parent, _, name = path.rpartition("/")
                up = self._entry(parent or "/")
                if up is not None and up.kind == LINK:
                    path = normal(join(self.resolve(parent), name))
                    continue
            if entry is None or entry.kind != LINK or not follow:
                return path
            path = normal(join(path.rpartition("/")[0] or "/", entry.content))
        raise FileError("Too many levels of symbolic links")

    def stat(self, path: str, follow: bool = True) -> Entry | None:
        """What is at an absolute path; None: nothing."""
        return self._entry(self.resolve(path, follow))

    def read(self, path: str) -> str:
        """A file's content. Errors: FileError."""
        entry = self.stat(path)
        if entry is None:
            raise FileError("No such file or directory")
        if entry.kind == DIRECTORY:
            raise FileError("Is a directory")
        self.work += min(entry.size, MAX_BYTES) // WORK
        return _whole(entry, "Cannot allocate memory")

    def listing(self, path: str) -> list[str]:
        """Names in a directory, sorted. Errors: FileError."""
        path = self.resolve(path)
        entry = self._entry(path)
        if entry is None:
            raise FileError("No such file or directory")
        if entry.kind != DIRECTORY:
            raise FileError("Not a directory")
        self.work += 1 + len(self.disks.get(self.own) or {}) // 64
        prefix = "/" if path == "/" else path + "/"
        names: dict[str, None] = {}
        for known in self._all_under(path):
            if known.startswith(prefix) and known != prefix:
                names[known[len(prefix) :].partition("/")[0]] = None
        return sorted(name for name in names if self._entry(prefix + name) is not None)

    def walk(self, path: str) -> list[str]:
        """`path` and everything below it, parents first."""
        found: list[str] = []
        todo = [path]
        while todo and len(found) <= MAX_FILES * 4:
            one = todo.pop()
            entry = self.stat(one, follow=False)
            if entry is None:
                continue
            found.append(one)
            if entry.kind == DIRECTORY:
                todo += [join(one, name) for name in reversed(self.listing(one))]
        return found

    def is_directory(self, path: str) -> bool:
        entry = self.stat(path)
        return entry is not None and entry.kind == DIRECTORY

    def _elsewhere(self, path: str) -> "tuple[str, Files, str] | None":
        """(where, other files, the path in them), if it leads there."""
        for prefix, other in self.elsewhere.items():
            if path == prefix or path.startswith(prefix + "/"):
                return prefix, other, path[len(prefix) :] or "/"
        return None

    def share(self, prefix: str, other: "Files") -> None:
        """Show other files under `prefix`; what is written there is written on their disks."""
        self.disks |= other.disks
        other.disks, other.written = self.disks, self.written
        self.elsewhere[prefix] = other

    def _mount_of(self, path: str) -> Mount | None:
        return next((m for m in reversed(self.mounts) if path == m.path or path.startswith(m.path + "/")), None)

    def _entry(self, path: str) -> Entry | None:
        if path == "/":
            return Entry(DIRECTORY, 0o755, 0)
        there = self._elsewhere(path)
        if there is not None:
            return there[1]._entry(there[2])
        mount = self._mount_of(path)
        if mount is not None:
            return self._mounted(mount, path)
        if path == "/proc" or path.startswith("/proc/"):
            self.asked_proc = True
            return self.proc.get(path)
        layer = self.disks.get(self.own) or {}
        if path in layer:
            return Entry(*layer[path]) if layer[path] is not None else None
        if any(m.path.startswith(path + "/") for m in self.mounts):
            return self.image.get(path) or Entry(DIRECTORY, 0o755, 0)
        if path in self.image and not self._hidden(path, layer):
            return self.image[path]
        return None

    @staticmethod
    def _hidden(path: str, layer: Disk) -> bool:
        """Was a directory above deleted? Then what the image has in it is gone, too."""
        while path.count("/") > 1:
            path = path.rpartition("/")[0]
            if path in layer and layer[path] is None:
                return True
        return False

    def _mounted(self, mount: Mount, path: str) -> Entry | None:
        if not mount.disk:
            return self._images[id(mount)].get(path[len(mount.path) :])
        disk, inside = self.disks.get(mount.disk) or {}, mount.subpath + path[len(mount.path) :]
        found = disk.get(inside)
        if inside not in disk and mount.base and not self._hidden(inside, disk):
            found = mount.base.get(inside)
        if found is None and path == mount.path:
            return Entry(DIRECTORY, 0o777, 0)
        return Entry(*found) if found is not None else None

    def _all_under(self, path: str) -> Iterable[str]:
        """Paths that may be below a directory."""
        there = self._elsewhere(path)
        if there is not None:
            prefix, other, rest = there
            yield from (prefix + name for name in other._all_under(rest))
            return
        yield from self.elsewhere
        mount = self._mount_of(path)
        if mount is not None and not mount.disk:
            yield from (mount.path + name for name in self._images[id(mount)])
        elif mount is not None:
            offset = len(mount.subpath)
            yield from (mount.path + name[offset:] for name in self.disks.get(mount.disk) or {})
            yield from (mount.path + name[offset:] for name in mount.base if name.startswith(mount.subpath))
        else:
            yield from self.image
            yield from (self.disks.get(self.own) or {})
            yield from self.proc
        yield from (m.path for m in self.mounts)

    # --- changing -------------------------------------------------------------------------------------------

    def write(self, path: str, content: str, append: bool = False, mode: int | None = None) -> None:
        """Errors: FileError."""
        path = self.resolve(path)
        if path in ("/dev/null", "/dev/stdout", "/dev/stderr"):
            return
        before = self._entry(path)
        if before is not None and before.kind == DIRECTORY:
            raise FileError("Is a directory")
        if before is not None and append:
            content = _whole(before, "File too large") + content
        kept = before.mode if before is not None else 0o644
        self._put(path, Entry(FILE, kept if mode is None else mode, self.now, content))

    def allocate(self, path: str, size: int) -> None:
        """A file of so many zeros instead of what was there. Errors: FileError."""
        self.write(path, "")
        path = self.resolve(path)
        self._put(path, Entry(FILE, 0o644, self.now, "", size))

    def touch(self, path: str) -> None:
        path = self.resolve(path)
        before = self._entry(path) or Entry(FILE, 0o644, self.now)
        self._put(path, before._replace(changed=self.now))

    def chmod(self, path: str, mode: int) -> None:
        path = self.resolve(path)
        before = self._entry(path)
        if before is None:
            raise FileError("No such file or directory")
        self._put(path, before._replace(mode=mode))

    def link(self, path: str, target: str) -> None:
        if self.stat(path, follow=False) is not None:
            raise FileError("File exists")
        self._put(path, Entry(LINK, 0o777, self.now, target))

    def mkdir(self, path: str, parents: bool = False, mode: int = 0o755) -> None:
        path = self.resolve(path)
        before = self._entry(path)
        if before is not None:
            if parents and before.kind == DIRECTORY:
                return
            raise FileError("File exists")
        parent = path.rpartition("/")[0]
        if parents and parent and self._entry(parent) is None:
            self.mkdir(parent, True, mode)
        self._put(path, Entry(DIRECTORY, mode, self.now))

    def remove(self, path: str) -> None:
        """A file, or a directory with all that is in it."""
        path = self.resolve(path, follow=False)
        there = self._elsewhere(path)
        if there is not None:
            there[1].remove(there[2])
            return
        if any(m.path == path or m.path.startswith(path + "/") for m in self.mounts):
            raise FileError("Resource busy")
        if path == "/" or path in ("/proc", "/sys", "/dev") or path.startswith("/proc/"):
            raise FileError("Operation not permitted")
        key, inside = self._disk_of(path)
        disk = dict(self.disks.get(key) or {})
        for known in [name for name in disk if name == inside or name.startswith(inside + "/")]:
            gone = Entry(*disk[known]) if disk[known] is not None else Entry(FILE, 0, 0)
            self.allocated = self.allocated or gone.zeros > 0
            self.grown -= gone.blocks if not key.startswith(CLAIM) else 0
            del disk[known]
        mount = self._mount_of(path)
        base = self.image if mount is None else mount.base
        if inside in base or any(name.startswith(inside + "/") for name in base):
            disk[inside] = None
        self.disks[key] = disk
        self.written[key] = None

    def move(self, source: str, target: str) -> None:
        for path in self.walk(source):
            entry = self.stat(path, follow=False)
            if entry is not None:
                self._put(target + path[len(source) :], entry, moved=True)
        self.remove(source)

    def outside(self, path: str) -> str:
        """The path by which the container has what is at `path`."""
        return path

    def used(self, key: str) -> int:
        """Bytes on a disk."""
        return sum(Entry(*entry).size for entry in (self.disks.get(key) or {}).values() if entry is not None)

    def _kept(self, key: str) -> int:
        """Bytes of a disk that have to be remembered."""
        return sum(len(entry[3]) for entry in (self.disks.get(key) or {}).values() if entry is not None)

    def _disk_of(self, path: str) -> tuple[str, str]:
        """(disk, path in it). Errors: FileError if it can't be written."""
        there = self._elsewhere(path)
        if there is not None:
            return there[1]._disk_of(there[2])
        mount = self._mount_of(path)
        if mount is None:
            if path.startswith(("/proc/", "/sys/")):
                raise FileError("Permission denied")
            return self.own, path
        if mount.readonly or not mount.disk:
            raise FileError("Read-only file system")
        return mount.disk, mount.subpath + path[len(mount.path) :]

    def _put(self, path: str, entry: Entry, moved: bool = False) -> None:
        if len(path) > MAX_PATH:
            raise FileError("File name too long")
        parent = path.rpartition("/")[0] or "/"
        above = self._entry(self.resolve(parent))
        if above is None:
            raise FileError("No such file or directory")
        if above.kind != DIRECTORY:
            raise FileError("Not a directory")
        key, inside = self._disk_of(path)
        disk = self.disks.get(key) or {}
        self.work += (len(entry.content) + 64 * len(disk)) // WORK
        before = Entry(*disk[inside]) if disk.get(inside) else Entry(FILE, 0, 0)
        grown = len(entry.content) - len(before.content)
        if len(disk) >= MAX_FILES or (grown > 0 and self._kept(key) + grown > MAX_BYTES):
            raise FileError("No space left on device")
        if not moved and not key.startswith(CLAIM):
            self._take(entry.blocks - before.blocks)
        self.allocated = self.allocated or entry.zeros != before.zeros
        self.disks[key] = {**disk, inside: list(entry if entry.zeros else entry[:4])}
        self.written[key] = None

    def _take(self, blocks: int) -> None:
        """Of the machine's disk. Disks of claims are other ones. Errors: FileError."""
        left = self.left(blocks * BLOCK) if blocks > 0 else None
        if left is not None and blocks * BLOCK > left:
            raise FileError("No space left on device")
        self.grown += blocks

    def left(self, size: int) -> int | None:
        """Bytes of the machine's disk for somebody who wants `size`; None: more than enough."""
        left = self.room(size)
        return None if left is None else max(left - self.grown * BLOCK, 0)


def _whole(entry: Entry, problem: str) -> str:
    """What is in a file, zeros included. Errors: FileError, which says `problem`, if they are too many."""
    if entry.zeros and entry.size > MAX_BYTES:
        raise FileError(problem)
    return entry.content + "\0" * entry.zeros


def blocks_of(disk: Disk | None) -> tuple[int, int]:
    """(blocks, inodes) that the files of a disk take, its own root directory included; nothing was written: none."""
    entries = [Entry(*stored) for stored in (disk or {}).values() if stored is not None]
    return (sum(entry.blocks for entry in entries) + 1, len(entries) + 1) if entries else (0, 0)


class Rooted(Files):
    """The same files for a process whose root is one of their directories (chroot)."""

    def __init__(self, whole: Files, root: str) -> None:
        super().__init__({}, whole.disks, whole.own, (), whole.now)
        self.whole, self.root, self.written = whole, root, whole.written
        whole.work += 1

    def _entry(self, path: str) -> Entry | None:
        return self.whole._entry(self.outside(path))

    def _all_under(self, path: str) -> Iterable[str]:
        names = self.whole._all_under(self.outside(path))
        return (name[len(self.root) :] for name in names if name.startswith(self.root + "/"))

    def _disk_of(self, path: str) -> tuple[str, str]:
        return self.whole._disk_of(self.outside(path))

    def outside(self, path: str) -> str:
        return self.root if path == "/" else self.root + path

    def remove(self, path: str) -> None:
        self.whole.remove(self.outside(self.resolve(path, follow=False)))


def _tree(data: Mapping[str, str]) -> dict[str, Entry]:
    """Read-only data with its directories, under paths that begin with a slash; "" is the mount point itself."""
    found = {"": Entry(DIRECTORY, 0o755, 0)}
    if set(data) == {""}:  # A single file, mounted with subPath.
        return {"": Entry(FILE, 0o644, 0, data[""])}
    for name in sorted(data):
        parts = name.split("/")
        for depth in range(1, len(parts)):
            found.setdefault("/" + "/".join(parts[:depth]), Entry(DIRECTORY, 0o755, 0))
        found["/" + name] = Entry(FILE, 0o644, 0, data[name])
    return found


def join(directory: str, name: str) -> str:
    """
    >>> join("/a", "b"), join("/", "b"), join("/a", "/b")
    ('/a/b', '/b', '/b')
    """
    return name if name.startswith("/") else f"{directory.rstrip('/')}/{name}"


def normal(path: str) -> str:
    """Absolute, without `.`, `..` and double slashes.

    >>> normal("/a/./b//../c/"), normal("/..")
    ('/a/c', '/')
    """
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)
