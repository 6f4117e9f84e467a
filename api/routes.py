"""The whole route table. `/openapi.json` and the URL map are both made from it."""

from functools import cache
from typing import Any

from pydantic import BaseModel

from api import (
    analytics,
    changes,
    compare,
    domains,
    export,
    job_events,
    jobs,
    metrics,
    openapi,
    public,
    queue_jobs,
    queues,
    schedules,
    task_details,
    task_hash,
    tasks,
    webhooks,
)
from api.context import Answer, Call, Handler
from api.route import Route
from api.schemas.analytics import AnalyticsResult, SetAnalytics
from api.schemas.changes import ChangeDetail, ChangeResult, ChangeSettingsResult, ListChanges, PutChangeSettings
from api.schemas.common import Data, DataPage, NoBody, NoQuery, Paged
from api.schemas.compare import CompareJobs, ComparisonResult
from api.schemas.domains import CreateDomain, CreatePage, DomainCreated, DomainResult, PageResult
from api.schemas.jobs import CreateJob, JobList, JobResult, ListJobs
from api.schemas.options import Options
from api.schemas.public import Health, Readiness
from api.schemas.queue_jobs import (
    CreateQueueJob,
    ListQueueJobs,
    QueueJob,
    QueueJobDetail,
    QueueList,
    QueueResult,
    QueueStats,
    Retried,
    RetryFailed,
    WorkerList,
)
from api.schemas.schedules import ChangeSchedule, CreateSchedule, ListSchedules, ScheduleResult
from api.schemas.task_details import TaskDetails
from api.schemas.task_hash import RunTasks, RunTasksQuery, TaskDefinition
from api.schemas.tasks import Export, ExportQuery, ListTasks, TaskList
from api.schemas.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeliveryResult,
    ListDeliveries,
    WebhookResult,
    WebhookWithSecret,
)

_JOB = Data[QueueJobDetail]
_SCHEDULE = Data[ScheduleResult]
_ANALYTICS = Data[AnalyticsResult]
_EXPORTS = ("text/csv", "application/x-ndjson")


def _get(path: str, handler: Handler, result: type[BaseModel] | None, summary: str, **more: Any) -> Route:
    return Route("GET", path, handler, summary, result, **more)


def _post(
    path: str, handler: Handler, given: type[BaseModel], result: type[BaseModel], summary: str, **more: Any
) -> Route:
    return Route("POST", path, handler, summary, result, given, **({"scope": "write"} | more))


def _patch(path: str, handler: Handler, given: type[BaseModel], result: type[BaseModel], summary: str) -> Route:
    return Route("PATCH", path, handler, summary, result, given, scope="write")


def _put(path: str, handler: Handler, given: type[BaseModel], result: type[BaseModel], summary: str) -> Route:
    return Route("PUT", path, handler, summary, result, given, scope="write")


def _delete(path: str, handler: Handler, result: type[BaseModel], summary: str) -> Route:
    return Route("DELETE", path, handler, summary, result, scope="write", errors=(409,))


@cache
def _openapi() -> Answer:
    return openapi.answer(ROUTES)


def get_openapi(_call: Call, _given: NoQuery) -> Answer:
    """The OpenAPI document of this table, made once."""
    return _openapi()


_HOOK, _SECRET, _DELIVERY = Data[WebhookResult], Data[WebhookWithSecret], Data[DeliveryResult]
_WEBHOOKS: tuple[Route, ...] = (
    _get("/api/webhooks", webhooks.list_webhooks, DataPage[WebhookResult], "List webhooks", given=Paged),
    _post("/api/webhooks", webhooks.create_webhook, CreateWebhook, _SECRET, "Add a webhook", status=201),
    _get("/api/webhooks/<id>", webhooks.get_webhook, _HOOK, "Get a webhook", etag=True),
    _patch("/api/webhooks/<id>", webhooks.change_webhook, ChangeWebhook, _HOOK, "Change a webhook"),
    _delete("/api/webhooks/<id>", webhooks.delete_webhook, _HOOK, "Delete a webhook"),
    _post("/api/webhooks/<id>/rotate", webhooks.rotate_webhook, NoBody, _SECRET, "Rotate the secret"),
    _post("/api/webhooks/<id>/test", webhooks.try_webhook, NoBody, _DELIVERY, "Try a webhook out", status=202),
    _get(
        "/api/webhooks/<id>/deliveries",
        webhooks.list_deliveries,
        DataPage[DeliveryResult],
        "List deliveries",
        given=ListDeliveries,
    ),
    _post(
        "/api/webhooks/<id>/deliveries/<delivery_id>/redeliver",
        webhooks.redeliver,
        NoBody,
        _DELIVERY,
        "Send again",
        status=202,
    ),
)

ROUTES: tuple[Route, ...] = (
    # crawl jobs
    _post("/v1/jobs", jobs.create_job, CreateJob, JobResult, "Create a crawl job", status=201),
    _get("/v1/jobs", jobs.list_jobs, JobList, "List crawl jobs", given=ListJobs),
    _get("/v1/jobs/<job_id>", jobs.get_job, JobResult, "Get a crawl job", etag=True),
    _get("/v1/jobs/<job_id>/events", job_events.watch_job, None, "Watch a crawl job", also=("text/event-stream",)),
    _delete("/v1/jobs/<job_id>", jobs.delete_job, JobResult, "Cancel a crawl job"),
    _post("/v1/jobs/<job_id>/cancel", jobs.cancel_job, NoBody, JobResult, "Cancel a crawl job"),
    _post("/v1/jobs/<job_id>/pause", jobs.pause_job, NoBody, JobResult, "Pause a crawl job"),
    _post("/v1/jobs/<job_id>/resume", jobs.resume_job, NoBody, JobResult, "Let a paused crawl job go on"),
    _get("/v1/jobs/<job_id>/tasks", tasks.list_tasks, TaskList, "List the tasks of a job", given=ListTasks),
    _get(
        "/v1/jobs/<job_id>/tasks/<task_id>",
        task_details.get_task_details,
        TaskDetails,
        "Get a task of a job with its attempts",
        etag=True,
    ),
    _get("/v1/jobs/<job_id>/export", export.export_tasks, Export, "Export tasks", given=ExportQuery, also=_EXPORTS),
    _get(
        "/v1/jobs/<job_id>/compare",
        compare.compare_jobs,
        ComparisonResult,
        "Compare two crawls",
        given=CompareJobs,
        errors=(409,),
    ),
    # task-hash dialect
    _get("/v1/tasks/<task_hash>", task_hash.get_task, TaskDefinition, "Get a task by its hash", etag=True),
    _get("/v1/runtasks", task_hash.list_run_tasks, RunTasks, "List a run's tasks", given=RunTasksQuery, errors=(404,)),
    # queue jobs
    _get(
        "/api/jobs",
        queue_jobs.list_queue_jobs,
        DataPage[QueueJob],
        "List queue jobs",
        given=ListQueueJobs,
        errors=(404,),
    ),
    _post("/api/jobs", queue_jobs.create_queue_job, CreateQueueJob, _JOB, "Enqueue a job", status=202),
    _get("/api/jobs/stats", queue_jobs.get_stats, Data[QueueStats], "Queue statistics"),
    _post(
        "/api/jobs/retry-failed",
        queue_jobs.retry_failed,
        RetryFailed,
        Data[Retried],
        "Retry failed jobs",
        scope="admin",
        errors=(404,),
    ),
    _get("/api/jobs/<id>", queue_jobs.get_queue_job, _JOB, "Get a queue job", etag=True),
    _post("/api/jobs/<id>/retry", queue_jobs.retry_queue_job, NoBody, _JOB, "Retry a failed job"),
    _post("/api/jobs/<id>/promote", queue_jobs.promote_queue_job, NoBody, _JOB, "Run a delayed job now"),
    _post("/api/jobs/<id>/cancel", queue_jobs.cancel_queue_job, NoBody, _JOB, "Cancel a job"),
    # operations
    _get("/api/queues", queues.list_queues, QueueList, "List queues", scope="admin"),
    _post("/api/queues/<name>/pause", queues.pause_queue, NoBody, Data[QueueResult], "Pause a queue", scope="admin"),
    _post("/api/queues/<name>/resume", queues.resume_queue, NoBody, Data[QueueResult], "Resume a queue", scope="admin"),
    _get("/api/workers", queues.list_workers, WorkerList, "List workers", scope="admin"),
    # domains and pages
    _get("/api/domains", domains.list_domains, DataPage[DomainResult], "List domains", given=Paged),
    _post("/api/domains", domains.create_domain, CreateDomain, DomainCreated, "Add a domain", status=201),
    _get("/api/domains/<id>", domains.get_domain, Data[DomainResult], "Get a domain", etag=True),
    _delete("/api/domains/<id>", domains.delete_domain, Data[DomainResult], "Delete a domain"),
    _get("/api/domains/<id>/pages", domains.list_pages, DataPage[PageResult], "List a domain's pages", given=Paged),
    _post("/api/domains/<id>/pages", domains.create_page, CreatePage, Data[PageResult], "Add a page", status=201),
    _post("/api/domains/<id>/discover", domains.discover_domain, NoBody, _JOB, "Discover pages", status=202),
    _post("/api/domains/<id>/crawl", domains.crawl_domain, Options, _JOB, "Crawl a domain", status=202),
    _get("/api/domains/<id>/analytics", analytics.get_analytics, _ANALYTICS, "Get a domain's page views", etag=True),
    _put("/api/domains/<id>/analytics", analytics.set_analytics, SetAnalytics, _ANALYTICS, "Connect page views"),
    _delete("/api/domains/<id>/analytics", analytics.delete_analytics, _ANALYTICS, "Disconnect page views"),
    _post(
        "/api/domains/<id>/analytics/refresh",
        analytics.refresh_analytics,
        NoBody,
        _ANALYTICS,
        "Refresh page views",
        status=202,
    ),
    _post("/api/pages/<id>/crawl", domains.crawl_page, NoBody, _JOB, "Crawl a page", status=202),
    # webhooks
    *_WEBHOOKS,
    # changes
    _get(
        "/api/changes", changes.list_changes, DataPage[ChangeResult], "List changes", given=ListChanges, errors=(404,)
    ),
    _get("/api/changes/<id>", changes.get_change, Data[ChangeDetail], "Get a change with its diff", etag=True),
    _get(
        "/api/domains/<id>/changes-settings",
        changes.get_change_settings,
        Data[ChangeSettingsResult],
        "What counts as a change",
        etag=True,
    ),
    _put(
        "/api/domains/<id>/changes-settings",
        changes.put_change_settings,
        PutChangeSettings,
        Data[ChangeSettingsResult],
        "Say what counts as a change",
    ),
    # recurring crawls
    _get(
        "/api/schedules",
        schedules.list_schedules,
        DataPage[ScheduleResult],
        "List recurring crawls",
        given=ListSchedules,
        errors=(404,),
    ),
    _post(
        "/api/schedules",
        schedules.create_schedule,
        CreateSchedule,
        _SCHEDULE,
        "Crawl a domain again and again",
        status=201,
        errors=(404,),
    ),
    _get("/api/schedules/<id>", schedules.get_schedule, _SCHEDULE, "Get a recurring crawl", etag=True),
    _patch("/api/schedules/<id>", schedules.change_schedule, ChangeSchedule, _SCHEDULE, "Change a recurring crawl"),
    _delete("/api/schedules/<id>", schedules.delete_schedule, _SCHEDULE, "End a recurring crawl"),
    _post("/api/schedules/<id>/run", schedules.run_schedule, NoBody, _SCHEDULE, "Run one now", status=202),
    # public
    _get("/healthz", public.get_health, Health, "Liveness", scope=None),
    _get("/readyz", public.get_readiness, Readiness, "Readiness", scope=None, errors=(503,)),
    _get(
        "/metrics",
        metrics.get_metrics,
        None,
        "Metrics for Prometheus",
        scope=None,
        also=("text/plain",),
        errors=(401, 403),
    ),
    _get("/openapi.json", get_openapi, None, "This document", scope=None),
    _get("/docs", public.get_docs, None, "Documentation page", scope=None, also=("text/html",)),
    _get("/docs/app.js", public.get_docs_script, None, "Its script", scope=None, also=("text/javascript",)),
    _get("/docs/style.css", public.get_docs_style, None, "Its style sheet", scope=None, also=("text/css",)),
)
