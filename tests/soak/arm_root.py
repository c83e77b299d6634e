"""A Debian for 64-bit ARM in a folder, and programs in it run by qemu: correctness only, times mean nothing.

Nothing is installed on this machine and nothing is mounted: packages are unpacked, not configured, and each
program is started by qemu itself, so the kernel need not know about ARM.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
QEMU = Path("/usr/bin/qemu-aarch64-static")

_PACKAGES = "python3,python3-pip"
# Debian 12 has glibc 2.36: wheels for this one and older ones run there.
_GLIBC = (36, 35, 34, 31, 28, 27, 26, 17)
_NOT_IN_A_WHEEL = shutil.ignore_patterns(
    ".*", "build", "dist", "*.egg-info", "__pycache__", "tests", "bench", "docs"
)


def what_is_missing() -> str | None:
    """Return what this machine lacks, and how to get it; none when nothing does."""
    if not QEMU.exists() or shutil.which("debootstrap") is None:
        return "needs qemu-user-static and debootstrap: apt-get install qemu-user-static debootstrap"
    if os.geteuid() != 0:
        return "needs root, to unpack a Debian and change into it"
    if _mirror() is None:
        return "needs a Debian whose apt has a main archive to take the packages from"
    return None


def make_root(folder: Path) -> None:
    """Unpack a Debian with Python and pip, from the archive that this machine's apt uses."""
    mirror = _mirror()
    assert mirror is not None
    site, release = mirror
    options = ["--arch=arm64", "--foreign", "--variant=minbase", f"--include={_PACKAGES}"]
    _run("debootstrap", *options, release, str(folder), site)
    for package in sorted((folder / "var/cache/apt/archives").glob("*.deb")):
        _run("dpkg-deb", "-x", str(package), str(folder))
    shutil.copy(QEMU, folder / "usr/bin")


def fetch_wheels(folder: Path) -> None:
    """Build elfowl's wheel from this working tree, and fetch what it needs on 64-bit ARM with Python 3.11."""
    sources = folder / "sources"
    shutil.copytree(REPOSITORY, sources, ignore=_NOT_IN_A_WHEEL)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(sources))
    (wheel,) = folder.glob("elfowl-*.whl")
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in _GLIBC]
    target = ["--python-version=3.11", "--implementation=cp", "--abi=cp311", "--abi=abi3", "--abi=none"]
    options = [
        "--only-binary=:all:",
        f"--dest={folder}",
        "--platform=manylinux2014_aarch64",
        *platforms,
        *target,
    ]
    _pip("download", *options, f"{wheel}[litert]")


def run_python(root: Path, *arguments: str) -> str:
    """Run the root's own Python in it and return what it wrote to standard output."""
    emulated = ["chroot", str(root), str(QEMU), "-E", "PYTHONPATH=/opt/elfowl", "/usr/bin/python3.11"]
    return _run(*emulated, *arguments)


def _mirror() -> tuple[str, str] | None:
    """Return address and release of this machine's main archive."""
    if shutil.which("apt-get") is None:
        return None
    form = "$(SITE) $(RELEASE) $(COMPONENT)"
    lines = _run("apt-get", "indextargets", "--format", form, "Created-By: Packages").splitlines()
    entries = [line.split() for line in lines]
    main = ((site, release) for site, release, part in entries if part == "main" and "-" not in release)
    return next(main, None)


def _pip(*arguments: str) -> str:
    return _run(sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *arguments)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command[:4])} …: {done.stdout[-1000:]} {done.stderr[-2000:]}"
    return done.stdout
