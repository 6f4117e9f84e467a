"""Cache headers of CDNs in one vocabulary: each header of API.md, each vendor's words."""

import pytest

from workers.cache import cache_status

CASES: dict[str, list[tuple[str, str | None]]] = {
    # Cloudflare
    "cf-cache-status": [
        ("HIT", "HIT"),
        ("MISS", "MISS"),
        ("EXPIRED", "EXPIRED"),
        ("STALE", "STALE"),
        ("UPDATING", "STALE"),
        ("BYPASS", "BYPASS"),
        ("REVALIDATED", "REVALIDATED"),
        ("dynamic", "DYNAMIC"),
        ("NONE/UNKNOWN", None),
    ],
    "x-cache": [
        # CloudFront
        ("Hit from cloudfront", "HIT"),
        ("Miss from cloudfront", "MISS"),
        ("RefreshHit from cloudfront", "REVALIDATED"),
        ("OriginShieldHit from cloudfront", "HIT"),
        ("LambdaGeneratedResponse from cloudfront", "DYNAMIC"),
        ("Error from cloudfront", None),
        # Fastly: from the shield to the edge
        ("MISS, HIT", "HIT"),
        ("HIT, MISS", "MISS"),
        ("MISS, MISS", "MISS"),
        ("HIT-CLUSTER", "HIT"),
        ("HIT-STALE", "STALE"),
        ("PASS", "BYPASS"),
        # Akamai
        ("TCP_HIT from a23-1.deploy.akamaitechnologies.com (AkamaiGHost/22.1) (-)", "HIT"),
        ("TCP_MEM_HIT from a23-1.deploy.akamai (AkamaiGHost)", "HIT"),
        ("TCP_IMS_HIT from a", "HIT"),
        ("TCP_NEGATIVE_HIT from a", "HIT"),
        ("TCP_MISS from a", "MISS"),
        ("TCP_REFRESH_HIT from a", "REVALIDATED"),
        ("TCP_REFRESH_MISS from a", "EXPIRED"),
        ("TCP_REFRESH_FAIL_HIT from a", "STALE"),
        ("TCP_DENIED from a", None),
        # Azure, Google, Traffic Server, Squid
        ("TCP_REMOTE_HIT", "HIT"),
        ("CONFIG_NOCACHE", "BYPASS"),
        ("PRIVATE_NOSTORE", "BYPASS"),
        ("N/A", None),
        ("uncacheable", "BYPASS"),
        ("hit-stale", "STALE"),
        ("HIT from miss-marple.example", "HIT"),
        ("MISS from proxy, HIT from stale.example", "HIT"),
    ],
    "x-cache-remote": [("TCP_MISS from a", "MISS"), ("TCP_EXPIRED_HIT", "EXPIRED")],
    "x-vercel-cache": [
        ("HIT", "HIT"),
        ("MISS", "MISS"),
        ("STALE", "STALE"),
        ("PRERENDER", "HIT"),
        ("REVALIDATED", "REVALIDATED"),
        ("BYPASS", "BYPASS"),
    ],
    # RFC 9211
    "cache-status": [
        ("ExampleCache; hit", "HIT"),
        ("ExampleCache; hit; ttl=-412", "HIT"),
        ("Edge; hit=?1", "HIT"),
        ("Edge; hit=?0; fwd=miss", "MISS"),
        ("Edge; fwd=stale; fwd-status=304; collapsed", "MISS"),
        ("Edge; fwd=bypass", "MISS"),
        ("Origin; hit; ttl=1, Edge; fwd=uri-miss; stored", "MISS"),
        ('"Netlify Durable"; fwd=bypass, "Netlify Edge"; hit', "HIT"),
        ('"A, B; fwd=miss"; hit', "HIT"),
        ('Edge; hit; key="a, b; fwd=miss"', "HIT"),
        ("Edge; detail=x", None),
    ],
    "x-varnish": [("123 456", "HIT"), ("123", "MISS"), ("", None)],
}
TABLE = [(name, value, expected) for name, values in CASES.items() for value, expected in values]
#: in the order in which they are believed, as a hit and as a miss
ORDER = [
    *[(name, "HIT", "MISS") for name in ("cf-cache-status", "x-cache", "x-cache-remote", "x-vercel-cache")],
    ("cache-status", "Edge; hit", "Edge; fwd=miss"),
    ("x-varnish", "1 2", "1"),
]


@pytest.mark.parametrize(("name", "value", "expected"), TABLE)
def test_cache_headers_are_normalised(name: str, value: str, expected: str | None) -> None:
    assert cache_status({name: value, "age": "5"}) == expected


@pytest.mark.parametrize("n", range(len(ORDER)))
def test_the_first_header_that_tells_counts(n: int) -> None:
    name, hit, _ = ORDER[n]
    assert cache_status({later: miss for later, _, miss in ORDER[n + 1 :]} | {name: hit}) == "HIT"


def test_a_header_that_says_nothing_leaves_it_to_the_next() -> None:
    assert cache_status({"cf-cache-status": "NONE/UNKNOWN", "x-cache": "HIT"}) == "HIT"
    assert cache_status({"age": "5"}) is None
