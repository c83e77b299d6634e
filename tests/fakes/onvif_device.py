"""A camera's ONVIF side on the loopback interface: answers the search by UDP and questions by HTTP.

It asks for the digest of WS-Security as cameras do, and can misbehave in every way that a stranger may.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Answer = Callable[[BaseHTTPRequestHandler], None]

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"'
    ' xmlns:tds="http://www.onvif.org/ver10/device/wsdl" xmlns:trt="http://www.onvif.org/ver10/media/wsdl"'
    ' xmlns:tt="http://www.onvif.org/ver10/schema"><s:Header>{header}</s:Header><s:Body>{body}</s:Body>'
    "</s:Envelope>"
)
_FAULT = (
    '<s:Fault xmlns:ter="http://www.onvif.org/ver10/error"><s:Code><s:Value>s:Sender</s:Value><s:Subcode>'
    "<s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code><s:Reason>"
    '<s:Text xml:lang="en">Sender not Authorized</s:Text></s:Reason></s:Fault>'
)
_OPEN = ("GetSystemDateAndTime", "GetServices", "GetCapabilities")


@dataclass(frozen=True)
class Profile:
    """One profile of the media service; its stream may be anywhere."""

    token: str
    url: str
    width_px: int = 640
    height_px: int = 360
    fps: int = 15
    codec: str = "H264"
    source: str = "lens"

    def xml(self) -> str:
        return (
            f'<trt:Profiles token="{self.token}" fixed="true"><tt:Name>{self.token}</tt:Name>'
            f'<tt:VideoSourceConfiguration token="v"><tt:Name>v</tt:Name><tt:SourceToken>{self.source}'
            "</tt:SourceToken></tt:VideoSourceConfiguration>"
            '<tt:VideoEncoderConfiguration token="e"><tt:Name>e</tt:Name>'
            f"<tt:Encoding>{self.codec}</tt:Encoding>"
            f"<tt:Resolution><tt:Width>{self.width_px}</tt:Width><tt:Height>{self.height_px}</tt:Height>"
            f"</tt:Resolution><tt:Quality>4</tt:Quality><tt:RateControl><tt:FrameRateLimit>{self.fps}"
            "</tt:FrameRateLimit><tt:EncodingInterval>1</tt:EncodingInterval><tt:BitrateLimit>512"
            "</tt:BitrateLimit></tt:RateControl></tt:VideoEncoderConfiguration></trt:Profiles>"
        )


class OnvifDevice:
    """Use as a context manager; `place` answers the search, `host` the questions."""

    def __init__(self, profiles: list[Profile], login: tuple[str, str] | None = None) -> None:
        self.profiles = profiles
        self.login = login
        self.answers: dict[str, Answer] = {}
        """What to do in place of an operation's own answer."""
        self.datagrams: list[bytes] = []
        """What to send before the own answer to a search."""
        self.asked: list[str] = []
        self.seen: list[bytes] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", 0))
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=[0.05], daemon=True),
            threading.Thread(target=self._answer_searches, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        # A datagram of nothing ends the thread; a socket closed under it would not.
        self._udp.sendto(b"", self._udp.getsockname())
        self._threads[1].join(60)
        self._udp.close()

    @property
    def place(self) -> str:
        """Return where it answers the search."""
        return "{}:{}".format(*self._udp.getsockname())

    @property
    def host(self) -> str:
        """Return where it answers questions."""
        return f"127.0.0.1:{self._http.server_port}"

    def match(self, *addresses: str) -> bytes:
        """Return an answer to a search that names a device at each of `addresses`."""
        matches = "".join(
            "<d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:1</a:Address>"
            "</a:EndpointReference><d:Types>dn:NetworkVideoTransmitter</d:Types><d:Scopes>"
            "onvif://www.onvif.org/name/Front%20door onvif://www.onvif.org/hardware/C1</d:Scopes>"
            f"<d:XAddrs>{address}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>"
            "</d:ProbeMatch>"
            for address in addresses
        )
        body = f"<d:ProbeMatches>{matches}</d:ProbeMatches>"
        header = (
            "<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</a:Action>"
            "<a:MessageID>urn:uuid:3</a:MessageID><a:RelatesTo>urn:uuid:2</a:RelatesTo>"
        )
        return _ENVELOPE.format(header=header, body=body).encode()

    def _answer_searches(self) -> None:
        while True:
            question, sender = self._udp.recvfrom(65_535)
            if not question:
                return
            self.seen.append(question)
            # As behind a router that maps ports: the device knows itself under another name.
            own = self.match(f"http://192.0.2.99:{self._http.server_port}/onvif/device_service")
            for datagram in [*self.datagrams, own]:
                self._udp.sendto(datagram, sender)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        device = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                question = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
                device.seen.append(question.encode() + str(self.headers).encode())
                operation = next(iter(re.findall(r"<(?:\w+:)?(Get\w+)", question)), "")
                device.asked.append(operation)
                if operation in device.answers:
                    device.answers[operation](self)
                elif operation not in _OPEN and not device.knows(question):
                    give(self, _ENVELOPE.format(header="", body=_FAULT).encode(), 400)
                else:
                    give(self, _ENVELOPE.format(header="", body=device.body_of(operation, question)).encode())

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        return Handler

    def knows(self, question: str) -> bool:
        """Return whether a question holds the right digest."""
        if self.login is None:
            return True
        said = {key: _inner(key, question) for key in ("Username", "Password", "Nonce", "Created")}
        plain = base64.b64decode(said["Nonce"]) + said["Created"].encode() + self.login[1].encode()
        digest = base64.b64encode(hashlib.sha1(plain).digest()).decode()
        return (said["Username"], said["Password"]) == (self.login[0], digest)

    def body_of(self, operation: str, question: str) -> str:
        """Return the right answer to an operation."""
        address = f"http://192.0.2.99:{self._http.server_port}/onvif/media"
        match operation:
            case "GetServices":
                return (
                    "<tds:GetServicesResponse><tds:Service><tds:Namespace>http://www.onvif.org/ver10/media/wsdl"
                    f"</tds:Namespace><tds:XAddr>{address}</tds:XAddr></tds:Service></tds:GetServicesResponse>"
                )
            case "GetProfiles":
                inner = "".join(profile.xml() for profile in self.profiles)
                return f"<trt:GetProfilesResponse>{inner}</trt:GetProfilesResponse>"
            case "GetStreamUri":
                token = _inner("ProfileToken", question)
                (url,) = [profile.url for profile in self.profiles if profile.token == token]
                return (
                    f"<trt:GetStreamUriResponse><trt:MediaUri><tt:Uri>{url}</tt:Uri></trt:MediaUri>"
                    "</trt:GetStreamUriResponse>"
                )
            case _:
                return (
                    "<tds:GetDeviceInformationResponse><tds:Manufacturer>Acme</tds:Manufacturer>"
                    "<tds:Model>Eye&#x202E; 5</tds:Model></tds:GetDeviceInformationResponse>"
                )


def give(
    handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, headers: dict[str, str] | None = None
) -> None:
    """Send an answer."""
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Type", "application/soap+xml; charset=utf-8")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _inner(tag: str, text: str) -> str:
    found = re.search(rf"<(?:\w+:)?{tag}\b[^>]*>([^<]*)<", text)
    return found.group(1) if found else ""
