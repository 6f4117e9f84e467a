"""For gunicorn: `gunicorn -c python:api.gunicorn_conf "api.wsgi:make_app()"`."""

from flask import Flask

from api import create_app
from shared.logs import configure
from shared.settings import Settings


def make_app() -> Flask:
    """The application of this environment, without a thread or a connection yet. Raises SettingsError."""
    settings = Settings.from_env()
    configure(settings.log_level, "api", settings.log_format)
    return create_app(settings)
