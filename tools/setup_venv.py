"""Make `.venv` hold exactly what a requirements file asks for; at once if it does already. Standard library only.

    python3 tools/setup_venv.py requirements.txt

Prints nothing but progress on the first run. Once installed, no network is needed: a hash of the file is remembered.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST, NEWEST = (3, 11), (3, 13)


def main(requirements: str) -> int:
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        found = ".".join(map(str, sys.version_info[:2]))
        print(
            f"orrery: needs Python 3.11, 3.12 or 3.13; {sys.executable} is {found}. Name another: `make run PYTHON=…`"
        )
        return 1
    stamp = VENV / f".installed-{Path(requirements).stem}"
    wanted = fingerprint(ROOT / requirements)
    if stamp.exists() and stamp.read_text() == wanted and (VENV / "bin" / "python").exists():
        return 0
    if not (VENV / "bin" / "python").exists():
        print("orrery: making .venv …", flush=True)
        try:
            venv.create(VENV, with_pip=True)
        except subprocess.CalledProcessError:
            print(f"orrery: {sys.executable} can't make environments; on Debian: sudo apt-get install -y python3-venv")
            return 1
    print(f"orrery: installing {requirements} …", flush=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    done = subprocess.run([*pip, "-r", str(ROOT / requirements)], check=False)
    if done.returncode:
        print(f"orrery: {requirements} could not be installed; what went wrong stands above")
        return 1
    stamp.write_text(wanted)
    return 0


def fingerprint(path: Path) -> str:
    """Of the file and of those it includes with `-r`, for this Python."""
    text = path.read_text()
    included = [line[3:].strip() for line in text.splitlines() if line.startswith("-r ")]
    total = hashlib.sha256(f"{sys.version_info[:2]}{text}".encode())
    for name in included:
        total.update((path.parent / name).read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
