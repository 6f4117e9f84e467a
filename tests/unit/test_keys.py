"""API keys as the record keeps them."""

import hmac

import pytest

from shared.store import keys, open_store


def test_keys_are_hashed_and_compared_in_constant_time(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(sqlite_url)
    key, secret = keys.create(store, None, "a")
    with store.read() as conn:
        rows = [tuple(row) for row in conn.exec_driver_sql("SELECT * FROM api_keys")]
    assert secret not in str(rows)
    compared: list[tuple[str, str]] = []
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    found = keys.authenticate(store, secret)
    assert found is not None
    assert found.id == key.id
    assert compared == [(keys.digest(secret), keys.digest(secret))]


def test_an_unknown_key_is_nobodys(sqlite_url: str) -> None:
    assert keys.authenticate(open_store(sqlite_url), "cy_nobody") is None
