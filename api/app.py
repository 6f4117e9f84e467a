"""Puts the application together."""

from flask import Flask
from redis.backoff import NoBackoff

from api import dispatch, errors, hooks
from api.auth import Authenticator
from api.context import EXTENSION, Services
from api.dashboard import blueprint
from api.inputs import MAX_BODY
from api.rate_limit import RateLimiter
from api.routes import ROUTES
from api.streams import Streams
from shared.errors import SettingsError
from shared.measures import Flusher, Measures
from shared.queue import TaskQueue, connect
from shared.settings import Settings
from shared.store import Store, open_store
from shared.tries import Tries

#: seconds: a client waits for an answer, so a Redis that does not answer is away soon
_REDIS_CONNECT, _REDIS_ANSWER = 0.5, 2.0
#: connections to the database: fewer than gunicorn's threads, so that some are left for what needs Redis alone
_POOL = 12


def build(settings: Settings, store: Store | None, queue: TaskQueue | None) -> Flask:
    """The application; store and queue from the settings unless they are given. Raises SettingsError."""
    app = Flask("api", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY + 1
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    app.extensions[EXTENSION] = _services(settings, store, queue)
    hooks.register(app)
    errors.register(app)
    dispatch.register(app, ROUTES)
    blueprint.register(app)
    return app


def _services(settings: Settings, store: Store | None, queue: TaskQueue | None) -> Services:
    # a worker would try again, a client is told: so the API asks each connection whether it was cut
    store = store or open_store(
        settings.effective_database_url, pool_size=_POOL, spare=0, patience=settings.database_timeout, rested=0.0
    )
    queue = queue or _queue(settings)
    measures = Measures()
    return Services(
        settings=settings,
        store=store,
        queue=queue,
        authenticator=Authenticator(store, settings.bootstrap_key),
        limiter=RateLimiter(queue.redis, settings.rate_limit),
        streams=Streams(settings.event_streams),
        measures=measures,
        flusher=Flusher(measures, queue.redis),
    )


def _queue(settings: Settings) -> TaskQueue:
    if settings.redis_url is None:
        raise SettingsError("REDIS_URL is not set: the API alone starts no Redis; use `crawlyard up`")
    redis = connect(
        settings.redis_url,
        socket_connect_timeout=_REDIS_CONNECT,
        socket_timeout=_REDIS_ANSWER,
        retry=Tries(NoBackoff(), 1),
    )
    return TaskQueue(redis, settings.completed_ttl, settings.failed_ttl)
