"""The least an API could do: Flask routes that return bytes they were given. `plain:make_app()` for gunicorn."""

import json
import os
from pathlib import Path

from flask import Flask, Response


def make_app() -> Flask:
    """Serves what the JSON file $BENCH_PLAIN has: path to body."""
    app = Flask(__name__)
    bodies: dict[str, str] = json.loads(Path(os.environ["BENCH_PLAIN"]).read_text())

    @app.route("/<path:path>", methods=["GET", "POST"])
    def plain(path: str) -> Response:
        return Response(bodies[f"/{path}"], mimetype="application/json")

    return app
