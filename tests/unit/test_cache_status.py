"""Cache headers of CDNs in one vocabulary."""

import pytest

from workers.cache import cache_status

CASES = [
    ({"cf-cache-status": "HIT"}, "HIT"),
    ({"cf-cache-status": "dynamic"}, "DYNAMIC"),
    ({"cf-cache-status": "EXPIRED"}, "EXPIRED"),
    ({"cf-cache-status": "UPDATING"}, "STALE"),
    ({"cf-cache-status": "REVALIDATED"}, "REVALIDATED"),
    ({"cf-cache-status": "BYPASS", "x-cache": "HIT"}, "BYPASS"),
    ({"cf-cache-status": "NONE/UNKNOWN", "x-cache": "HIT"}, "HIT"),
    ({"x-cache": "Hit from cloudfront"}, "HIT"),
    ({"x-cache": "Miss from cloudfront"}, "MISS"),
    ({"x-cache": "RefreshHit from cloudfront"}, "REVALIDATED"),
    ({"x-cache": "Error from cloudfront"}, None),
    ({"x-cache": "TCP_MEM_HIT from a23-1.deploy.akamai (AkamaiGHost)"}, "HIT"),
    ({"x-cache": "TCP_REFRESH_MISS from a"}, "EXPIRED"),
    ({"x-cache": "MISS, HIT"}, "HIT"),
    ({"x-cache": "HIT, MISS"}, "MISS"),
    ({"x-cache": "CONFIG_NOCACHE"}, "BYPASS"),
    ({"x-cache-remote": "TCP_EXPIRED_HIT"}, "EXPIRED"),
    ({"x-vercel-cache": "PRERENDER"}, "HIT"),
    ({"x-vercel-cache": "STALE"}, "STALE"),
    ({"cache-status": "Origin; hit; ttl=1, Edge; fwd=uri-miss; stored"}, "MISS"),
    ({"cache-status": '"A, B; fwd=miss"; hit'}, "HIT"),
    ({"cache-status": "Edge; detail=x"}, None),
    ({"x-varnish": "123 456"}, "HIT"),
    ({"x-varnish": "123"}, "MISS"),
    ({"x-varnish": ""}, None),
    ({"age": "5"}, None),
]


@pytest.mark.parametrize(("headers", "expected"), CASES)
def test_cache_headers_are_normalised(headers: dict[str, str], expected: str | None) -> None:
    assert cache_status(headers) == expected
