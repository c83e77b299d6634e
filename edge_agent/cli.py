"""The command `elfowl-agent`. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from edge_agent.agent.cli import Usage, add_clips
from edge_agent.discover.cli import add_discover
from edge_agent.errors import ArtifactError, ConfigError, ElfowlError

_EPILOG = "Begin with: elfowl-agent try SOURCE   (a video file, an RTSP URL, or 0 for the webcam)"

_QR_FPS, _QR_PICTURES = 5.0, 600


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 1 for an error, 2 for wrong usage."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        return command(options)
    except ElfowlError as error:
        text = _with_cure(error)
        sys.stderr.write(f"elfowl-agent: {text}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 1


def _with_cure(error: ElfowlError) -> str:
    """Return the error on one line; what is said of a bundle inside the agent does not name a cure."""
    text = " ".join(str(error).split())
    if isinstance(error, ArtifactError) and ";" not in text:
        return f"{text}; copy or download it again"
    return text


def _parser() -> argparse.ArgumentParser:
    parser = Usage(prog="elfowl-agent", description="Custom-made eyes for a small camera.", epilog=_EPILOG)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_run(commands.add_parser("run", help="look, report and obey until stopped"))
    _add_check_config(commands.add_parser("check-config", help="say whether a config file is right"))
    _add_detect(commands.add_parser("detect", help="run a bundle on a picture or video"))
    _add_try(commands.add_parser("try", help="look at a source at once, with no cloud and no config"))
    add_discover(commands.add_parser("discover", help="find cameras and say which stream to look at"))
    _add_enrol(commands.add_parser("enrol", help="join a cloud with a one-time token"))
    _add_simulate(commands.add_parser("simulate", help="let many devices without cameras join a cloud"))
    _add_diagnose(commands.add_parser("diagnose", help="look at all that the agent needs; say what to do"))
    _add_record(commands.add_parser("record", help="keep what a camera sees now, to replay it"))
    add_clips(commands.add_parser("clips", help="list the clips that are kept, or hand one out"))
    _add_package(commands.add_parser("package", help="write what it takes to install the agent on a device"))
    version = commands.add_parser("version", help="print the version")
    version.set_defaults(command=_version)
    return parser


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the YAML file")
    parser.add_argument("--verbose", action="store_true", help="log every step")
    replay = parser.add_argument_group("replay")
    replay.add_argument("--replay", type=Path, metavar="FILE", help="print a recorded case's events, and end")
    replay.add_argument("--camera", metavar="NAME", help="whose rules count, if there are several")
    replay.add_argument("--start", type=float, metavar="SECONDS", default=0.0, help="UTC begin of a video")
    replay.add_argument("--seed", type=int, metavar="N", default=0, help="for the ids of events")
    parser.set_defaults(command=_run)


def _add_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the YAML file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(command=_diagnose)


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="the YAML file")
    parser.add_argument("--camera", metavar="NAME", help="which camera, if there are several")
    parser.add_argument("--seconds", type=float, metavar="N", default=60.0, help="how long (default: 60)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder for the case")
    parser.set_defaults(command=_record)


def _add_check_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the YAML file")
    parser.set_defaults(command=_check_config)


def _add_detect(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="a bundle (zip or folder), or `starter`")
    parser.add_argument("source", type=Path, metavar="IMAGE|VIDEO", help="a file")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(command=_detect)


def _add_try(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="a file, an RTSP or HTTP URL, or a webcam's number")
    parser.add_argument("--mqtt", metavar="HOST[:PORT]", help="show up in Home Assistant through this broker")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write an .mp4, or the best .jpg, with boxes"
    )
    parser.add_argument("--port", type=int, metavar="N", help="port of the preview page (default: 8642)")
    parser.add_argument("--seconds", type=float, metavar="N", help="stop after so many seconds")
    parser.add_argument("--bundle", type=Path, metavar="BUNDLE", help="another detector than the starter")
    parser.add_argument(
        "--threshold", type=float, metavar="X", help="score, 0 to 1, from which something counts as seen"
    )
    parser.add_argument("--label", action="append", metavar="NAME", help="report only this; may be repeated")
    parser.set_defaults(command=_try)


def _add_enrol(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cloud", metavar="URL", help="for example http://192.168.1.2:8420")
    ways = parser.add_mutually_exclusive_group(required=True)
    ways.add_argument("--token", metavar="T", help="from the portal: Cameras, Add a camera")
    ways.add_argument("--ticket", type=Path, metavar="FILE", help="a ticket that the portal wrote")
    ways.add_argument("--qr", metavar="SOURCE", help="let this camera see the portal's QR code")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="take device, profile, state_dir from here"
    )
    parser.add_argument("--device", metavar="NAME", help="how the device is called (default: its host name)")
    parser.add_argument("--profile", metavar="NAME", help="the device profile")
    parser.add_argument("--state-dir", type=Path, metavar="DIR", help="where the agent keeps its state")
    parser.add_argument(
        "--ca-file", type=Path, metavar="PEM", help="authority of the cloud's HTTPS, if it is a private one"
    )
    parser.set_defaults(command=_enrol)


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cloud", required=True, metavar="URL", help="for example http://127.0.0.1:8420")
    parser.add_argument("--devices", type=int, required=True, metavar="N", help="how many")
    parser.add_argument("--seconds", type=float, metavar="N", default=float("inf"), help="stop after so many")
    parser.add_argument("--poll", type=float, metavar="N", default=60.0, help="seconds between two looks")
    parser.add_argument("--profile", metavar="NAME", default="x86-64", help="what kind of device they are")
    parser.add_argument("--prefix", metavar="NAME", default="sim", help="how their names begin")
    parser.add_argument("--refuse", action="store_true", help="let every bundle fail its smoke test")
    parser.add_argument("--mqtt", action="store_true", help="let each connect to the cloud's broker as well")
    parser.add_argument("--access-token", metavar="T", help="the cloud's, if it has one")
    parser.add_argument(
        "--state-dir", type=Path, metavar="DIR", default=Path("elfowl-simulated"), help="where they remember"
    )
    parser.set_defaults(command=_simulate)


def _add_package(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", required=True, metavar="NAME", help="the device, or a .yaml file of it")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings to go with it (default: new ones)"
    )
    parser.add_argument(
        "--kit", type=Path, metavar="FILE", help="bundle kit to go with it; root.json beside it"
    )
    parser.add_argument(
        "--wheel", type=Path, metavar="FILE", help="elfowl's wheel, for a device without network"
    )
    parser.add_argument(
        "--kind",
        choices=["systemd", "container", "vendor_package", "manual"],
        help="another way than the profile's",
    )
    parser.set_defaults(command=_package)


def _run(options: argparse.Namespace) -> int:
    if options.replay is not None:
        return _replay(options)
    # Read when numpy is loaded: our matrices are small, and each thread of its own would take memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from edge_agent.main import run_agent

    run_agent(options.config, verbose=options.verbose)
    return 0


def _replay(options: argparse.Namespace) -> int:
    from edge_agent.agent.replay import ReplayOptions, run_replay
    from edge_agent.config import load_config
    from edge_agent.main import configure_logging

    configure_logging(quiet=not options.verbose)
    case = ReplayOptions(options.replay, options.camera, options.start, options.seed)
    return run_replay(load_config(options.config), case)


def _record(options: argparse.Namespace) -> int:
    from edge_agent.agent.parts import open_camera_source
    from edge_agent.agent.replay import camera_of, record_case
    from edge_agent.clock import SystemClock
    from edge_agent.config import load_config
    from edge_agent.main import configure_logging

    configure_logging(quiet=True)
    config, clock = load_config(options.config), SystemClock()
    source = open_camera_source(camera_of(config, options.camera), clock)
    pictures = record_case(source, options.out, seconds=options.seconds, clock=clock)
    print(f"{pictures} pictures in {options.out}; they are clear and not encrypted")
    print(f"Run them again: elfowl-agent run --config {options.config} --replay {options.out}")
    return 0


def _diagnose(options: argparse.Namespace) -> int:
    from edge_agent.agent.diagnose import run_diagnosis
    from edge_agent.config import load_config
    from edge_agent.main import configure_logging

    configure_logging(quiet=True)
    return run_diagnosis(load_config(options.file), as_json=options.json)


def _check_config(options: argparse.Namespace) -> int:
    from edge_agent.agent.added_cameras import with_added
    from edge_agent.agent.authorities import check_authorities
    from edge_agent.agent.rules_in_words import check_labels, rules_in_words
    from edge_agent.agent.settings import SettingsStore
    from edge_agent.config import load_config
    from edge_agent.runtime.bundle import open_bundle
    from edge_agent.runtime.profiles import find_profile
    from edge_agent.starter.location import starter_bundle_path

    config = with_added(load_config(options.file))
    find_profile(config.profile)
    check_authorities(config)
    if config.mqtt is not None:
        config.mqtt.read_password()
    if config.cloud is not None:
        config.cloud.read_token()
    for named in (config.root, config.bundle if config.bundle != "starter" else None):
        if named is not None and not Path(named).exists():
            message = f"{options.file}: there is no {named}; check the path"
            raise ConfigError(message)
    if config.bundle == "starter":
        check_labels(config, str(options.file), "starter", open_bundle(starter_bundle_path()).manifest)
    home = f"{config.mqtt.host}:{config.mqtt.port}" if config.mqtt else "none"
    cloud = config.cloud.url if config.cloud else "none"
    cameras = ", ".join(camera.name for camera in config.cameras) or "none yet"
    print(
        f"{options.file}: ok (device {config.device}, cameras {cameras}, home broker {home}, cloud {cloud})"
    )
    settings = SettingsStore(config.state_dir / "settings.json", config.cameras)
    for camera in config.cameras:
        whose = "" if settings.are_own_rules(camera.name) else " (rules set in the portal)"
        print(f"camera {camera.name}{whose}:")
        for line in rules_in_words(settings.get(camera.name).rules or camera.rules):
            print(f"  {line}")
    return 0


def _detect(options: argparse.Namespace) -> int:
    from edge_agent.pipeline.detect_file import detect_file

    bundle = _bundle_path(options.bundle)
    return detect_file(bundle, options.source, as_json=options.json)


def _bundle_path(name: str) -> Path:
    if name != "starter":
        return Path(name)
    from edge_agent.starter.location import starter_bundle_path

    return starter_bundle_path()


def _try(options: argparse.Namespace) -> int:
    from edge_agent.agent.tryout import TryOptions, run_tryout
    from edge_agent.main import configure_logging

    configure_logging(quiet=True)
    wishes = TryOptions(
        source=options.source,
        bundle=options.bundle,
        out=options.out,
        mqtt=options.mqtt,
        preview_port=options.port,
        seconds=options.seconds,
        threshold=options.threshold,
        labels=tuple(options.label or ()),
    )
    return run_tryout(wishes)


def _enrol(options: argparse.Namespace) -> int:
    import platform

    from edge_agent.agent.authorities import check_authority
    from edge_agent.agent.device import agent_version, arch
    from edge_agent.config import load_config
    from edge_agent.runtime.profiles import find_profile
    from edge_agent.update.enrol import DeviceFacts, enrol
    from edge_agent.update.fetcher import open_client

    config = load_config(options.config) if options.config is not None else None
    ticket_url, token, root_sha256 = _way_in(options)
    of_config = config.cloud.url if config is not None and config.cloud is not None else None
    url = options.cloud or ticket_url or of_config
    if url is None:
        message = "enrol needs --cloud URL, or a --config FILE that names one"
        raise ConfigError(message)
    host = re.sub(r"[^a-zA-Z0-9_-]", "-", platform.node())[:64] or "camera"
    device = options.device or (config.device if config is not None else host)
    named = options.profile or (config.profile if config is not None else _only_profile(arch()))
    profile = find_profile(named).name
    state_dir = options.state_dir or (config.state_dir if config is not None else Path("elfowl-state"))
    facts = DeviceFacts(device, profile, arch(), agent_version())
    ca_file = options.ca_file or (
        config.cloud.ca_file if config is not None and config.cloud is not None else None
    )
    if ca_file is not None:
        check_authority(ca_file, "--ca-file" if options.ca_file is not None else "cloud.ca_file")
    with open_client(ca_file) as http:
        identity = enrol(url, token, facts, state_dir, client=http, root_sha256=root_sha256)
    print(
        json.dumps(
            {"device": identity.device, "cloud": identity.enrolment.cloud_url, "state_dir": str(state_dir)}
        )
    )
    return 0


def _way_in(options: argparse.Namespace) -> tuple[str | None, str, str | None]:
    """Return the cloud's address, the token and the digest of the root, as far as they were given."""
    from itertools import islice

    from edge_agent.camera.open_source import open_source
    from edge_agent.update.ticket import read_ticket, see_ticket

    if options.token is not None:
        return None, options.token, None
    if options.ticket is not None:
        ticket = read_ticket(options.ticket)
    else:
        source = open_source(options.qr, max_fps=_QR_FPS)
        try:
            ticket = see_ticket(frame.rgb for frame in islice(source, _QR_PICTURES))
        finally:
            source.close()
    return ticket.cloud, ticket.token, ticket.root_sha256


def _only_profile(arch: str) -> str:
    from edge_agent.runtime.profiles import load_profile, profile_names

    fitting = [name for name in profile_names() if load_profile(name).arch == arch]
    if len(fitting) != 1:
        message = f"enrol needs --profile NAME, one of: {', '.join(fitting or profile_names())}"
        raise ConfigError(message)
    return fitting[0]


def _simulate(options: argparse.Namespace) -> int:
    from edge_agent.agent.simulate import simulate
    from edge_agent.agent.simulated_device import Behaviour
    from edge_agent.agent.simulation import FleetOrder
    from edge_agent.main import configure_logging
    from edge_agent.runtime.profiles import find_profile

    configure_logging(quiet=True)
    order = FleetOrder(
        cloud_url=options.cloud,
        count=options.devices,
        state_dir=options.state_dir,
        profile=find_profile(options.profile).name,
        prefix=options.prefix,
        access_token=options.access_token,
        behaviour=Behaviour(options.poll, options.refuse),
    )
    print(json.dumps(simulate(order, options.seconds, mqtt=options.mqtt)))
    return 0


def _package(options: argparse.Namespace) -> int:
    from edge_agent.packaging.make import make_package
    from edge_agent.packaging.request import PackageRequest

    request = PackageRequest(
        options.profile, options.out, options.config, options.kit, options.wheel, options.kind
    )
    for path in make_package(request):
        print(f"wrote {path}")
    print(f"Go on with {options.out / 'README.md'}")
    return 0


def _version(_options: argparse.Namespace) -> int:
    from edge_agent.agent.device import agent_version

    print(f"elfowl-agent {agent_version()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
