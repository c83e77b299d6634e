"""The files of a package: templates of `firmware_configs/install`, filled in.

A template marks what is to be filled in as `@NAME@` in capitals, which neither shell, systemd nor YAML use.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from edge_agent.errors import ConfigError
from edge_agent.packaging.request import Order
from edge_agent.runtime.profiles import is_small
from edge_agent.wire.profile import DeviceProfile

_MARK = re.compile(r"@([A-Z][A-Z_]*)@")
_MIB = 1 << 20
# A 32-bit system may run on a 64-bit kernel, which then names the machine.
_MACHINES = {"armv7l": "armv7l | armv8l | aarch64", "aarch64": "aarch64", "x86_64": "x86_64"}
_WEBCAM_RULES = "DevicePolicy=closed\nDeviceAllow=char-video4linux rw\nSupplementaryGroups=video"


def render(order: Order, version: str) -> dict[str, bytes]:
    """Return every file of the package, by its name.

    Args:
        order: What the package shall hold.
        version: elfowl's version.

    Raises:
        ConfigError: There is no template of that name, or a carried file has the name of another one.
    """
    values = _values(order, version)
    files = {name: fill(text, values).encode() for name, text in _template_files(order.template).items()}
    files["agent.yaml"] = order.config_text.encode()
    if taken := sorted(set(files) & set(order.carried)):
        message = f"{taken[0]}: the package has a file of this name already; rename yours"
        raise ConfigError(message)
    return files | order.carried


def fill(text: str, values: Mapping[str, str]) -> str:
    """Return a template with its marks filled in; a mark without a value is a bug of the template."""
    return _MARK.sub(lambda mark: values[mark[1]], text)


def runtime_extras(profile: DeviceProfile, kind: str) -> tuple[str, ...]:
    """Return the extras to install: the preferred runtime, and one that runs the starter bundle."""
    if kind == "vendor_package":
        return ("litert",)  # the agent runs on an ordinary machine beside the camera
    first = profile.runtimes[0]
    return (first, "litert") if first == "onnx" else (first,)


def _template_files(template: str) -> dict[str, str]:
    folder = resources.files("firmware_configs").joinpath("install", template)
    if not folder.is_dir():
        message = f"install.template: there is no {template!r} in firmware_configs/install"
        raise ConfigError(message)
    return {entry.name: entry.read_text("utf-8") for entry in folder.iterdir()}


def _values(order: Order, version: str) -> dict[str, str]:
    profile, wheel = order.profile, order.wheel
    memory_bytes = profile.ram_for_us_bytes
    # Small, and without it the portal finds no camera; the running agent never loads it.
    extras = ",".join((*runtime_extras(profile, order.kind), "onvif"))
    settings = [name for name in sorted(order.carried) if name != wheel]
    wheel_path = f"./{wheel}" if order.kind != "container" else f"/tmp/{wheel}"  # noqa: S108 - in the image
    return {
        "NAME": profile.name,
        "TITLE": profile.title,
        "ARCH": profile.arch,
        "NOTES": profile.install.notes,
        "VERSION": version,
        "THREADS": str(profile.threads),
        # The explanations in code take some megabytes, and nobody reads them there.
        "LEAN": "PYTHONOPTIMIZE=2 " if is_small(memory_bytes) else "",
        "MEMORY_MAX_BYTES": str(memory_bytes),
        "MEMORY_HIGH_BYTES": str(memory_bytes * 9 // 10),
        "MEMORY_MIB": str(memory_bytes // _MIB),
        "REQUIREMENT": f"{wheel_path}[{extras}]" if wheel else f"elfowl[{extras}]=={version}",
        "FILES": " ".join(["README.md", *settings]),
        "DEVICE_RULES": _WEBCAM_RULES if order.webcam else "PrivateDevices=yes",
        "EDIT_HINT": "" if order.webcam else "; for a webcam make the package with --config",
        "MACHINES": _MACHINES[profile.arch],
        **_python_values(profile, wheel_path if wheel else f"elfowl=={version}"),
        **_container_values(order, settings),
    }


def _python_values(profile: DeviceProfile, elfowl_alone: str) -> dict[str, str]:
    install = profile.install
    exact = "tflite" in profile.runtimes[:1]
    return {
        "SYSTEM_PACKAGES": " ".join(install.system_packages),
        "VENV_OPTIONS": "--system-site-packages " if install.system_packages else "",
        "PYTHON_TEST": "sys.version_info[:2] == (3, 11)" if exact else "sys.version_info >= (3, 11)",
        "PYTHON_WORDS": "Python 3.11, no newer one" if exact else "Python 3.11 or newer",
        "PIP_COMMANDS": "\n".join(_pip_commands(profile, elfowl_alone)),
    }


def _pip_commands(profile: DeviceProfile, elfowl_alone: str) -> list[str]:
    pip, install = '"$prefix/bin/pip" install --upgrade', profile.install
    if not install.system_packages:
        return [f'{pip} "$requirement"']
    return [
        f"{pip} {shlex.join(install.pip_packages)}",
        f"{pip} --no-deps {shlex.join([*install.pip_packages_alone, elfowl_alone])}",
    ]


def _container_values(order: Order, settings: list[str]) -> dict[str, str]:
    wheel = order.wheel
    devices = '    devices: ["/dev/video0"]\n    group_add: [video]\n' if order.webcam else ""
    return {
        "COPY_WHEEL": f"COPY {wheel} /tmp/"
        if wheel
        else "# From the package index; --wheel FILE puts a wheel here.",
        "REMOVE_WHEEL": f" && rm /tmp/{Path(wheel).name}" if wheel else "",
        "COPY_FILES": f"COPY {' '.join(['README.md', *settings])} /etc/elfowl/",
        "DEVICES": devices,
    }
