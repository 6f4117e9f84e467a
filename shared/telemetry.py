"""Errors to Sentry and traces to OpenTelemetry, where an operator has set them up and installed the extra.

Both libraries connect to the address that the operator names, by themselves: they are no part of what is crawled.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from shared.errors import SettingsError
from shared.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_tracer: "Tracer | None" = None
_NOTHING = nullcontext()


def start(settings: Settings, process: str) -> None:
    """Sets up what the settings ask for, once per process. Raises SettingsError when its extra is not installed."""
    if settings.sentry_dsn:
        _start_sentry(settings.sentry_dsn, process)
    if settings.otlp_endpoint:
        _start_tracing(settings.otlp_endpoint, process)


def span(name: str, **attributes: Any) -> AbstractContextManager[Any]:
    """A span around the block; nothing where tracing is off."""
    return _NOTHING if _tracer is None else _tracer.start_as_current_span(name, attributes=attributes)


def stop() -> None:
    """Sends the spans that are left."""
    global _tracer
    if _tracer is not None:
        from opentelemetry import trace

        _tracer = None
        trace.get_tracer_provider().shutdown()  # type: ignore[attr-defined]


def _start_sentry(dsn: str, process: str) -> None:
    try:
        import sentry_sdk
    except ImportError as error:
        raise SettingsError("SENTRY_DSN needs the extra: pip install 'crawlyard[sentry]'") from error
    # no request bodies, no headers, no local variables: they may hold keys and crawled text
    sentry_sdk.init(
        dsn,
        auto_enabling_integrations=False,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
    )
    sentry_sdk.set_tag("process", process)


def _start_tracing(endpoint: str, process: str) -> None:
    global _tracer
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise SettingsError("OTEL_EXPORTER_OTLP_ENDPOINT needs the extra: pip install 'crawlyard[otel]'") from error
    provider = TracerProvider(resource=Resource.create({"service.name": f"crawlyard-{process}"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    _tracer = provider.get_tracer("crawlyard")
