"""Tables of webhooks: who wants to hear, and the outbox of what is to be told to them."""

from sqlalchemy import Column, Index, Integer, String, Table, Text, text

from shared.store.tables import Big, Code, metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("uid", String(36), nullable=False, unique=True),
    Column("organisation_id", Big, nullable=False, index=True),
    #: http or apprise
    Column("type", Text, nullable=False),
    #: of an Apprise webhook only its scheme: the rest is a secret
    Column("url", Text, nullable=False),
    Column("sealed_url", Text),
    Column("description", Text, nullable=False),
    #: types with a space before and after each
    Column("events", Text, nullable=False),
    Column("is_active", Code, nullable=False),
    #: why nothing is sent any more
    Column("disabled_reason", Text),
    #: since when every attempt has failed
    Column("failing_since", Big),
    #: sealed (shared/vault.py); Apprise has none
    Column("secret", Text),
    #: the one before, which signs too until that moment
    Column("old_secret", Text),
    Column("old_secret_until", Big),
    Column("created_at", Big, nullable=False),
    Column("updated_at", Big, nullable=False),
    # a number is never given again: what is left of a deleted webhook's deliveries is nobody else's
    sqlite_autoincrement=True,
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Big, primary_key=True, autoincrement=True),
    Column("webhook_id", Big, nullable=False),
    #: the same for all webhooks that are told, and for each repetition
    Column("message_id", String(40), nullable=False),
    Column("event_type", Text, nullable=False),
    #: the body as it is sent
    Column("payload", Text, nullable=False),
    #: `DeliveryState`
    Column("state", Code, nullable=False),
    Column("attempts", Code, nullable=False, server_default="0"),
    #: starts, the fencing token of the newest one
    Column("run", Integer, nullable=False, server_default="0"),
    #: when it is (again) due; for one under way, when its worker is believed dead
    Column("next_attempt_at", Big),
    Column("claimed_until", Big),
    Column("attempted_at", Big),
    Column("status_code", Integer),
    Column("duration", Integer),
    Column("error", Text),
    #: how the receiver's answer begins
    Column("answer", Text),
    Column("created_at", Big, nullable=False, index=True),
    Column("completed_at", Big),
    Index("webhook_deliveries_of", "webhook_id", "id"),
    Index(
        "webhook_deliveries_due",
        "webhook_id",
        "next_attempt_at",
        sqlite_where=text("state = 3"),
        postgresql_where=text("state = 3"),
    ),
)

# a partial index is only used for a condition with the same literal
IS_DUE = text("webhook_deliveries.state = 3")
