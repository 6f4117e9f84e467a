"""For gunicorn: `gunicorn -c python:api.gunicorn_conf "api.wsgi:make_app()"`."""

import logging

from flask import Flask

from api import create_app
from shared.settings import Settings


def make_app() -> Flask:
    """The application of this environment. Raises SettingsError."""
    settings = Settings.from_env()
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return create_app(settings)
