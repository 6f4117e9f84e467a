"""Which addresses may be connected to."""

import pytest

from shared.errors import SettingsError
from workers.egress import EgressPolicy
from workers.errors import ForbiddenAddress

FORBIDDEN = (
    "127.0.0.1 127.8.8.8 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 192.0.0.8 192.0.2.1 "
    "198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 :: ::1 fe80::1 fe80::1%eth0 fc00::1 fec0::1 ff02::1 2001:db8::1 "
    "::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 2002:7f00:1::1 2002:a00:1::1 64:ff9b::127.0.0.1 64:ff9b::a00:1 "
    "64:ff9b:1::808:808 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:0:7f00:1::"
).split()
PUBLIC = "8.8.8.8 1.1.1.1 2606:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1".split()


@pytest.mark.parametrize("address", FORBIDDEN)
def test_private_and_reserved_addresses_are_forbidden(address: str) -> None:
    with pytest.raises(ForbiddenAddress):
        EgressPolicy(("203.0.113.7", "elsewhere:80")).check("e.com", 80, address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    EgressPolicy().check("e.com", 80, address)


@pytest.mark.parametrize(
    ("entry", "host", "port", "address"),
    [
        ("10.0.0.0/8", "e.com", 80, "10.1.2.3"),
        ("10.0.0.0/8", "e.com", 80, "::ffff:10.1.2.3"),
        ("127.0.0.1", "e.com", 1, "127.0.0.1"),
        ("127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1"),
        ("[::1]:8080", "::1", 8080, "::1"),
        ("[::1]", "::1", 1, "::1"),
        ("Intra.Example", "intra.example", 1, "10.0.0.1"),
        ("intra.example:80", "intra.example", 80, "10.0.0.1"),
        ("intra.example:443", "intra.example", 443, "10.0.0.1"),
    ],
)
def test_the_operator_can_allow_some(entry: str, host: str, port: int, address: str) -> None:
    EgressPolicy((entry,)).check(host, port, address)
    with pytest.raises(ForbiddenAddress):
        EgressPolicy((entry,)).check("other.example", 9, "192.168.0.1")


@pytest.mark.parametrize("entry", ["127.0.0.1:8080", "intra.example:8080", "[::1]:8080", "other.example"])
def test_an_entry_with_a_port_allows_that_port_only(entry: str) -> None:
    for host, address in (("127.0.0.1", "127.0.0.1"), ("intra.example", "10.0.0.1"), ("::1", "::1")):
        with pytest.raises(ForbiddenAddress):
            EgressPolicy((entry,)).check(host, 80, address)


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "a b", "host:99999", "user@host", "http://x", "x/y", "!"])
def test_rubbish_entries_are_settings_errors(entry: str) -> None:
    with pytest.raises(SettingsError, match="Allowed private address"):
        EgressPolicy((entry,))
