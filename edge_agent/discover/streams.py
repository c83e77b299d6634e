"""Asks one camera for its streams: ONVIF's device and media services, through a library."""

from __future__ import annotations

from typing import Any

import httpx
from onveef import OnvifClient
from onveef.exceptions import (
    OnvifAuthError,
    OnvifError,
    OnvifFaultError,
    OnvifOperationNotSupportedError,
    OnvifTimeoutError,
    OnvifTransportError,
)
from onveef.urls import with_credentials

from edge_agent.clock import Clock
from edge_agent.discover.bounded import BoundedTransport
from edge_agent.discover.found import Device, Login, LoginWantedError, Stream, harmless, stream_at
from edge_agent.errors import CameraError, ElfowlError

_STEP_S = 5.0
_MAX_STREAMS = 96
_MAX_SIDE_PX = 20_000


def ask_streams(
    device: Device, login: Login | None, clock: Clock, seconds: float
) -> tuple[str, list[Stream]]:
    """Return a device's maker and model, and its streams.

    The password goes out as a digest only, and to no other host.

    Args:
        device: Whom to ask.
        login: Who we are; none: nobody in particular.
        clock: For `seconds`.
        seconds: For all questions together.

    Raises:
        CameraError: It does not answer as a camera should; the text says what to do.
    """
    # Cameras sign their own certificates, so that there is nobody to check them with.
    inner = httpx.HTTPTransport(verify=False)
    who = login or Login("", "")
    client = OnvifClient(
        device.service_url,
        username=who.user,
        password=who.password,
        timeout_s=_STEP_S,
        http_auth="digest",
        retries=0,
        transport=BoundedTransport(inner, device.host, clock, seconds),
    )
    with client:
        try:
            return _ask(client, device)
        except OnvifError as error:
            message = f"{device.host}: {_said_of(error, login)}"
            wanted = isinstance(error, OnvifAuthError) and login is None
            raise (LoginWantedError if wanted else CameraError)(message) from None
        except ElfowlError:
            raise
        except Exception as error:  # noqa: BLE001 - the library stumbles over some of what strangers say
            message = f"{device.host}: answers what cannot be read ({type(error).__name__}); check its port"
            raise CameraError(message) from None


def source_of(url: str, login: Login | None) -> str:
    """Return what to write as a camera's source: the address, with user and password if there are any."""
    return with_credentials(url, login.user, login.password) if login is not None else url


def _ask(client: OnvifClient, device: Device) -> tuple[str, list[Stream]]:
    services = client.discover_services()
    if "media" not in services and "media2" not in services:
        cure = "check its port, and switch ONVIF on in its settings"
        message = f"{device.host}: has no ONVIF media service there; {cure}"
        raise CameraError(message)
    client.endpoint.services.update(services)
    streams = []
    for profile in client.get_profiles()[:_MAX_STREAMS]:
        url = _address(client, device, profile)
        if url is not None:
            streams.append(_stream(profile, url))
    if not streams:
        message = f"{device.host}: names no stream; set up a video profile in its settings"
        raise CameraError(message)
    return _model(client), streams


def _address(client: OnvifClient, device: Device, profile: dict[str, Any]) -> str | None:
    try:
        told = client.get_stream_uri(profile_token=str(profile.get("token", "")))
    except (OnvifFaultError, OnvifOperationNotSupportedError):
        return None  # a profile for sound or events alone
    return stream_at(device.host, told)


def _model(client: OnvifClient) -> str:
    try:
        facts = client.get_device_information()
    except OnvifError:
        return ""
    return harmless(" ".join(facts.get(key, "") for key in ("Manufacturer", "Model")))


def _stream(profile: dict[str, Any], url: str) -> Stream:
    encoder = profile.get("video_encoder") or {}
    return Stream(
        name=harmless(profile.get("name", "")),
        channel=harmless((profile.get("video_source") or {}).get("source_token", "")),
        url=url,
        codec=_codec(str(encoder.get("encoding", ""))),
        width_px=_within(encoder.get("width"), _MAX_SIDE_PX),
        height_px=_within(encoder.get("height"), _MAX_SIDE_PX),
        fps=_rate(encoder),
    )


def _codec(told: str) -> str:
    plain = harmless(told, 12).upper().replace(".", "")
    return {"HEVC": "H265", "MJPEG": "JPEG"}.get(plain, plain)


def _within(number: object, limit: int) -> int | None:
    return number if isinstance(number, int) and 0 < number <= limit else None


def _rate(encoder: dict[str, Any]) -> float | None:
    limit, every = _within(encoder.get("fps_limit"), 1_000), _within(encoder.get("encoding_interval"), 1_000)
    return limit / (every or 1) if limit is not None else None


def _said_of(error: OnvifError, login: Login | None) -> str:
    """Return the cure; a device's own words stay out of it."""
    if isinstance(error, OnvifAuthError) and login is None:
        return "wants a user and password; run it again with --user NAME"
    if isinstance(error, OnvifAuthError):
        return (
            "does not accept this user and password; some makers keep users for ONVIF apart from those of "
            "the camera's page: look there, and set the camera's clock"
        )
    if isinstance(error, OnvifTimeoutError):
        return "does not answer in time; check that it is on, and its address and port"
    if isinstance(error, OnvifTransportError):
        if isinstance(error.__cause__, httpx.ConnectError):
            return "cannot be reached; check its address and port, and that it is on"
        return "answers, but not as ONVIF says; check its port, and that ONVIF is switched on"
    return "refuses what every ONVIF camera answers; switch ONVIF (profile S or T) on in its settings"
