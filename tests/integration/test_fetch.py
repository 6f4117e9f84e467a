"""The guarded client against servers that misbehave."""

import gzip
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import brotli
import pytest
import zstandard

from shared.settings import FetchLimits
from tests import site as sites
from tests.hostile.traps import bomb
from tests.site import Site, html, raw, redirect
from workers import errors
from workers.egress import EgressPolicy
from workers.fetch import Fetcher
from workers.flight import SLICE

#: seconds that a busy machine may add; what is waited for here goes on for longer
STALL = 5.0
LIMITS = FetchLimits(connect=0.5, first_byte=0.4, total=0.8, body=200_000, decoded=1_000_000, redirects=3)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    fetcher = Fetcher(LIMITS, EgressPolicy(("127.0.0.1",)), "Crawlyard/test")
    yield fetcher
    fetcher.close()


def test_it_works(fetcher: Fetcher) -> None:
    with Site({"/a?b=1": html("Hello")}) as site:
        response = fetcher.get(site.url("/a?b=1"))
        assert response.status_code == 200
        assert b"Hello" in response.body
        assert response.bytes_received == len(response.body)
        assert response.content_type == "text/html; charset=utf-8"
        assert response.url == site.url("/a?b=1")
        assert site.requests[0].headers["user-agent"] == "Crawlyard/test"
        assert site.requests[0].headers["host"] == site.host
        assert site.requests[0].headers["accept-encoding"] == "gzip, deflate, br, zstd"


def test_the_phases_of_a_request_are_measured(fetcher: Fetcher) -> None:
    with Site({"/": html("Hello")}, delay=0.05) as site:
        first, again = fetcher.get(site.url()).phases, fetcher.get(site.url()).phases
        assert first is not None
        assert again is not None
        assert None not in (first.dns, first.connect)
        assert (first.tls, again.dns, again.connect, again.tls) == (None, None, None, None)
        assert min(first.first_byte, again.first_byte) >= 50


def test_an_error_status_is_a_response(fetcher: Fetcher) -> None:
    with Site({"/": html("no", status=503, headers={"Retry-After": "7"})}) as site:
        response = fetcher.get(site.url())
        assert (response.status_code, response.headers["retry-after"]) == (503, "7")


def test_given_headers_are_sent(fetcher: Fetcher) -> None:
    with Site({"/": (304, {}, b"")}) as site:
        assert fetcher.get(site.url(), headers={"If-None-Match": '"x"'}).status_code == 304
        assert site.requests[0].headers["if-none-match"] == '"x"'


def test_a_body_is_posted_with_its_length(fetcher: Fetcher) -> None:
    with Site({"/hook": (202, {}, b"taken")}) as site:
        for body in (b'{"a":1}', b"", b"x" * 150_000):
            answer = fetcher.send("POST", site.url("/hook"), headers={"Content-Type": "application/json"}, content=body)
            assert (answer.status_code, answer.body) == (202, b"taken")
            seen = site.requests[-1]
            assert (seen.method, seen.body, seen.headers["content-type"]) == ("POST", body, "application/json")
            assert "transfer-encoding" not in seen.headers


def test_what_is_sent_is_not_redirected(fetcher: Fetcher) -> None:
    with Site({"/hook": redirect("/b", 307)}) as site:
        assert fetcher.send("POST", site.url("/hook"), content=b"x").status_code == 307
        assert site.paths() == ["/hook"]


def test_what_is_sent_is_guarded_and_bounded_too(fetcher: Fetcher) -> None:
    small = replace(LIMITS, body=1000, total=0.3)
    with Site({"/": sites.endless_body(), "/drip": sites.body_drip()}) as site:
        with pytest.raises(errors.BodyTooLarge):
            fetcher.send("POST", site.url(), content=b"x", limits=small)
        with pytest.raises(errors.FetchError):
            fetcher.send("POST", site.url("/drip"), content=b"x", limits=small)
        with pytest.raises(errors.ForbiddenAddress):
            Fetcher(LIMITS, EgressPolicy(), "t").send("POST", site.url(), content=b"x")


def test_a_server_that_does_not_read_is_a_timeout(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.monotonic()
        with pytest.raises(errors.FetchError) as caught:
            fetcher.send("POST", f"http://127.0.0.1:{server.getsockname()[1]}/", content=b"x" * 20_000_000)
        assert caught.value.retryable
        assert time.monotonic() - start < LIMITS.connect + LIMITS.total + STALL


def test_a_server_that_reads_late_gets_the_whole_of_a_large_body(fetcher: Fetcher) -> None:
    patient = replace(LIMITS, total=20.0, first_byte=20.0)

    def answer(server: socket.socket) -> int:
        peer, _ = server.accept()
        with peer, peer.makefile("rwb") as stream:
            time.sleep(1.5 * SLICE)  # the time is what is tested: longer than one wait of the client
            head = dict(line.lower().split(b": ", 1) for line in iter(stream.readline, b"\r\n") if b": " in line)
            body = stream.read(int(head[b"content-length"]))
            stream.write(OK + b"Content-Length: 2\r\n\r\nok")
        return len(body)

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        seen = threads.submit(answer, server)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert fetcher.send("POST", url, content=b"x" * 20_000_000, limits=patient).body == b"ok"
        assert seen.result() == 20_000_000


def test_an_answer_that_comes_before_all_was_sent_counts(fetcher: Fetcher) -> None:
    def refuse(server: socket.socket) -> None:
        sock, _ = server.accept()
        with sock:
            sock.recv(1)
            sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as threads:
        threads.submit(refuse, server)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert fetcher.send("POST", url, content=b"x" * 20_000_000).status_code == 413


def test_connections_are_kept_and_shared_by_threads(fetcher: Fetcher) -> None:
    with Site({"/": html("x")}, delay=0.02) as site, ThreadPoolExecutor(8) as threads:
        bodies = list(threads.map(lambda _: fetcher.get(site.url()).body, range(64)))
        assert len(set(bodies)) == 1
        assert 2 <= site.max_concurrent <= 8
    (kept,) = fetcher._connections._idle.values()
    assert 1 <= len(kept) <= 8


def test_no_cookie_comes_back(fetcher: Fetcher) -> None:
    with Site({"/": html("x", headers={"Set-Cookie": "a=1"})}) as site:
        fetcher.get(site.url())
        fetcher.get(site.url())
        assert "cookie" not in site.requests[1].headers


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", gzip.compress(b"x" * 9999, mtime=0)),
        ("deflate", zlib.compress(b"x" * 9999)),
        ("deflate", zlib.compress(b"x" * 9999, wbits=-15)),
        ("br", brotli.compress(b"x" * 9999)),
        ("zstd", zstandard.compress(b"x" * 9999)),
        ("gzip, br", brotli.compress(gzip.compress(b"x" * 9999, mtime=0))),
        ("GZIP, identity", gzip.compress(b"x" * 5000, mtime=0) + gzip.compress(b"x" * 4999, mtime=0)),
    ],
)
def test_encoded_bodies_are_decoded_and_counted_as_sent(fetcher: Fetcher, coding: str, packed: bytes) -> None:
    with Site({"/": (200, {"Content-Encoding": coding}, packed)}) as site:
        response = fetcher.get(site.url())
        assert response.body == b"x" * 9999
        assert response.bytes_received == len(packed)


@pytest.mark.parametrize(
    ("size", "kind", "coding", "is_large"),
    [
        (900_000, "text/html", "", False),
        (1_100_000, "text/html", "", True),
        (900_000, "text/html", "gzip", False),
        (1_100_000, "text/html", "gzip", True),
        (1_100_000, "image/png", "", False),  # counted, not kept
    ],
)
def test_large_bodies_and_no_others_wait_for_room(
    fetcher: Fetcher, size: int, kind: str, coding: str, is_large: bool
) -> None:
    fetcher.limits = replace(LIMITS, body=2_000_000, decoded=2_000_000, total=5.0)
    body = gzip.compress(b"x" * size) if coding else b"x" * size
    waits: list[None] = []
    with Site({"/": (200, {"Content-Type": kind, "Content-Encoding": coding}, body)}) as site:
        response = fetcher.get(site.url(), large=lambda: waits.append(None))
    assert len(response.body) == (0 if kind == "image/png" else size)
    assert bool(waits) is is_large


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd", "deflate", "compress", "gzip, gzip, gzip"])
def test_what_cannot_be_decoded_is_a_bad_response(fetcher: Fetcher, coding: str) -> None:
    with Site({"/": (200, {"Content-Encoding": coding}, b"plain")}) as site, pytest.raises(errors.BadResponse):
        fetcher.get(site.url())


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_is_too_large(fetcher: Fetcher, coding: str) -> None:
    with Site({"/": bomb(coding, 3_000_000)}) as site, pytest.raises(errors.BodyTooLarge, match="decoded"):
        fetcher.get(site.url())


def test_a_cut_body_ends_at_the_limit(fetcher: Fetcher) -> None:
    with Site({"/": sites.endless_body(), "/known": (200, {}, b"x" * 200_000)}) as site:
        for path in ("/", "/known"):
            assert 2000 <= len(fetcher.get(site.url(path), max_body=2000, cut=True).body) < 70_000


def test_images_are_read_and_counted_but_not_kept(fetcher: Fetcher) -> None:
    with Site({"/": (200, {"Content-Type": "image/png"}, b"p" * 150_000)}) as site:
        response = fetcher.get(site.url())
        assert (response.body, response.bytes_received) == (b"", 150_000)


@pytest.mark.parametrize(
    "page",
    [
        sites.endless_body(),
        (200, {}, b"x" * 200_001),
        (200, {"Content-Type": "image/png"}, b"x" * 200_001),
        raw(OK + b"\r\n" + b"x" * 300_000),
    ],
)
def test_a_body_over_the_limit_is_too_large(fetcher: Fetcher, page: sites.Page) -> None:
    with Site({"/": page}) as site, pytest.raises(errors.BodyTooLarge):
        fetcher.get(site.url())


def test_max_body_replaces_the_limit(fetcher: Fetcher) -> None:
    with Site({"/": (200, {}, b"x" * 2000)}) as site:
        assert len(fetcher.get(site.url(), max_body=2000).body) == 2000
        with pytest.raises(errors.BodyTooLarge):
            fetcher.get(site.url(), max_body=1999)


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (sites.header_drip(), errors.TotalTimeout),
        (sites.body_drip(), errors.TotalTimeout),
        (sites.drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), errors.TotalTimeout),
        (sites.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), errors.TotalTimeout),
        (sites.silence(), errors.FirstByteTimeout),
        (sites.drip(OK + b"Content-Length: 9\r\n\r\n", b"", 60), errors.TotalTimeout),
        (sites.reset(), errors.ConnectionReset),
        (raw(b""), errors.ConnectionReset),
        (raw(OK + b"Content-Length: 10\r\n\r\nhalf"), errors.ConnectionReset),
        (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhal"), errors.ConnectionReset),
        (raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhalf"), errors.FetchError),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), errors.BadResponse),
        (raw(b"\x00\xff\xfe garbage\r\n\r\n"), errors.BadResponse),
        (raw(OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n"), errors.BadResponse),
        (raw(OK + b"".join(b"X%d: y\r\n" % i for i in range(200)) + b"\r\n"), errors.BadResponse),
        (raw(OK + b"Content-Length: 1, 2\r\n\r\nab"), errors.BadResponse),
        (sites.drip(OK, b"Y: " + b"y" * 60_000 + b"\r\n", 0), errors.BadResponse),
    ],
)
def test_a_misbehaving_server_is_a_fetch_error_in_time(
    fetcher: Fetcher, page: sites.Misbehaviour, error: type[errors.FetchError]
) -> None:
    with Site({"/": page}) as site:
        start = time.monotonic()
        with pytest.raises(error) as caught:
            fetcher.get(site.url())
        assert time.monotonic() - start < LIMITS.total + STALL
        assert len(caught.value.message) <= 500
        assert caught.value.message.isprintable()


def test_a_closed_port_refuses(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(errors.ConnectRefused):
        fetcher.get(f"http://127.0.0.1:{port}/")


def test_a_name_that_does_not_exist_is_not_found(fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(errors.DnsNotFound):
        fetcher.get("http://nowhere.invalid/")


def test_a_server_without_tls_is_a_tls_error(fetcher: Fetcher) -> None:
    with Site() as site, pytest.raises(errors.TlsError):
        fetcher.get(f"https://{site.host}/")


def test_redirects_are_followed_and_recorded(fetcher: Fetcher) -> None:
    with Site({"/a": redirect("b"), "/b": redirect("/c?x=1#y", 301), "/c?x=1": html("End")}) as site:
        response = fetcher.get(site.url("/a"))
        assert response.url == site.url("/c?x=1")
        assert [(hop.status_code, hop.location) for hop in response.history] == [
            (302, site.url("/b")),
            (301, site.url("/c?x=1")),
        ]


@pytest.mark.parametrize(("raw_path", "path"), [("/ü".encode(), "/%C3%BC"), (b"/\xfc%41", "/%FCA")])
def test_bytes_in_a_location_are_those_asked_for(fetcher: Fetcher, raw_path: bytes, path: str) -> None:
    answer = raw(b"HTTP/1.1 302 Found\r\nLocation: " + raw_path + b"\r\nContent-Length: 0\r\n\r\n")
    with Site({"/": answer, path: html("End")}) as site:
        assert fetcher.get(site.url()).url == site.url(path)


def test_redirects_can_be_left_alone(fetcher: Fetcher) -> None:
    with Site({"/": redirect("/b")}) as site:
        assert fetcher.get(site.url(), follow=False).status_code == 302
        assert site.paths() == ["/"]


@pytest.mark.parametrize(
    ("pages", "error"),
    [
        ({"/": redirect("/")}, errors.RedirectLoop),
        ({"/": redirect("/b"), "/b": redirect("/#x")}, errors.RedirectLoop),
        ({"/": redirect("/1"), **{f"/{i}": redirect(f"/{i + 1}") for i in range(9)}}, errors.TooManyRedirects),
        ({"/": redirect("ftp://127.0.0.1/")}, errors.BadUrl),
        ({"/": redirect("http://[::1")}, errors.BadUrl),
        ({"/": redirect("http://127.0.0.2/")}, errors.ForbiddenAddress),
        ({"/": redirect("http://0/")}, errors.ForbiddenAddress),
        ({"/": redirect("https://[::ffff:10.0.0.1]/")}, errors.ForbiddenAddress),
    ],
)
def test_bad_redirects_are_errors(
    fetcher: Fetcher, pages: dict[str, sites.Page], error: type[errors.FetchError]
) -> None:
    with Site(pages) as site, pytest.raises(error):
        fetcher.get(site.url())


def test_secrets_stay_with_the_first_hop(fetcher: Fetcher) -> None:
    with Site({"/": redirect("/b")}) as site:
        fetcher.get(site.url(), headers={"Authorization": "x", "X-Other": "y"})
        first, second = site.requests
        assert first.headers["authorization"] == "x"
        assert "authorization" not in second.headers
        assert second.headers["x-other"] == "y"


def test_no_request_reaches_a_private_address() -> None:
    with Site({"/": html("secret")}) as site:
        fetcher = Fetcher(LIMITS, EgressPolicy(), "Crawlyard/test")
        for url in (site.url(), f"https://{site.host}/", f"http://localhost:{site.host[10:]}/"):
            with pytest.raises(errors.ForbiddenAddress):
                fetcher.get(url)
        assert site.requests == []


def test_the_address_checked_is_the_one_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = []

    def rebinding(host: bytes, port: int, **_: object) -> list[object]:
        lookups.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with Site({"/": html("x")}) as site:
        port = site.host.rpartition(":")[2]
        Fetcher(LIMITS, EgressPolicy((f"rebind.test:{port}",)), "t").get(f"http://rebind.test:{port}/")
        assert lookups == [b"rebind.test"]
        with pytest.raises(errors.ForbiddenAddress):
            Fetcher(LIMITS, EgressPolicy(("rebind.test:1",)), "t").get(f"http://rebind.test:{port}/")


def test_cancelling_stops_a_drip(fetcher: Fetcher) -> None:
    asked = threading.Event()
    with Site({"/": sites.body_drip()}) as site:
        threading.Timer(0.15, asked.set).start()
        start = time.monotonic()
        with pytest.raises(errors.Cancelled):
            fetcher.get(site.url(), cancelled=asked.is_set)
        assert time.monotonic() - start < STALL


def test_nothing_is_sent_once_cancelled(fetcher: Fetcher) -> None:
    with Site({"/": html("x")}) as site:
        with pytest.raises(errors.Cancelled):
            fetcher.get(site.url(), cancelled=lambda: True)
        assert site.requests == []


def test_a_stale_connection_is_replaced_once() -> None:
    """The server closes an idle connection at the very moment that it is taken from the pool."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve_twice, args=(server,), daemon=True)
        thread.start()
        fetcher = Fetcher(LIMITS, EgressPolicy(("127.0.0.1",)), "t")
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert [fetcher.get(url).body for _ in range(2)] == [b"1", b"2"]
        thread.join(2)


def _serve_twice(server: socket.socket) -> None:
    for answer in (b"1", b"2"):
        sock, _ = server.accept()
        with sock:
            sock.recv(65536)
            sock.sendall(OK + b"Content-Length: 1\r\n\r\n" + answer)
            if answer == b"1":
                sock.recv(65536)  # the second request arrives; no answer


def test_elapsed_counts_the_server_and_redirects_only(fetcher: Fetcher) -> None:
    with Site({"/": redirect("/b"), "/b": html("x")}, delay=0.1) as site:
        assert 200 <= fetcher.get(site.url()).elapsed_ms < 400


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """(certificate, key) of 127.0.0.1, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = str(folder / "cert.pem"), str(folder / "key.pem")
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout {key} -out {cert}"
    subprocess.run([*command.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    return cert, key


def secure(site: Site, files: tuple[str, str]) -> Site:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    site._server.socket = context.wrap_socket(site._server.socket, server_side=True)
    return site


def test_tls_works_is_kept_alive_and_bounded(tls_files: tuple[str, str]) -> None:
    trust = ssl.create_default_context(cafile=tls_files[0])
    fetcher = Fetcher(LIMITS, EgressPolicy(("127.0.0.1",)), "t", tls=trust)
    with secure(Site({"/": html("secure"), "/drip": sites.body_drip()}), tls_files) as site:
        bodies = {fetcher.get(f"https://{site.host}/").body for _ in range(3)}
        assert bodies == {html("secure")[2]}
        assert [len(kept) for kept in fetcher._connections._idle.values()] == [1]
        with pytest.raises(errors.TotalTimeout):
            fetcher.get(f"https://{site.host}/drip")


def test_an_unknown_authority_is_a_tls_error(fetcher: Fetcher, tls_files: tuple[str, str]) -> None:
    with secure(Site(), tls_files) as site, pytest.raises(errors.TlsError, match="certificate"):
        fetcher.get(f"https://{site.host}/")


def test_a_certificate_for_another_name_is_a_tls_error(tls_files: tuple[str, str]) -> None:
    """Neither its addresses nor its subject's name make it one for localhost."""
    trust = ssl.create_default_context(cafile=tls_files[0])
    fetcher = Fetcher(LIMITS, EgressPolicy(("localhost", "127.0.0.1")), "t", tls=trust)
    with secure(Site(), tls_files) as site, pytest.raises(errors.TlsError, match="localhost"):
        fetcher.get(f"https://localhost:{site.host.rpartition(':')[2]}/")
