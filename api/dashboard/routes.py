"""Every page of the dashboard: its path, its view, and the scope that it takes."""

from functools import partial

from api.dashboard import (
    changes,
    crawl_tabs,
    crawls,
    domains,
    keys,
    ops,
    pages,
    queue_pages,
    rq_pages,
    schedules,
    signin,
    start,
    task_page,
    webhooks,
)
from api.dashboard.gate import Page

_post = partial(Page, "POST", scope="write")
_get = partial(Page, "GET")

PAGES = (
    _get("/", start.show, "start"),
    _post("/", start.create, "create"),
    Page("POST", "/logout", signin.sign_out, "logout"),
    # a crawl
    _get("/jobs/<job_id>", crawls.show_tasks, "crawl"),
    _get("/jobs/<job_id>/broken", crawls.show_broken, "broken"),
    _get("/jobs/<job_id>/broken/pages", crawl_tabs.show_holders, "holders"),
    _get("/jobs/<job_id>/changes", crawl_tabs.show_changes, "crawl_changes"),
    _get("/jobs/<job_id>/compare", crawl_tabs.show_comparison, "comparison"),
    Page("POST", "/jobs/<job_id>/retry-failed", crawl_tabs.retry_failed, "retry_failed_of", scope="admin"),
    _get("/jobs/<job_id>/slow", crawls.show_slow, "slow"),
    _get("/jobs/<job_id>/events", crawls.watch, "events"),
    _get("/jobs/<job_id>/export", crawls.export, "export"),
    _post("/jobs/<job_id>/cancel", crawls.cancel, "cancel"),
    _post("/jobs/<job_id>/pause", crawls.pause, "pause_crawl"),
    _post("/jobs/<job_id>/resume", crawls.resume, "resume_crawl"),
    _get("/jobs/<job_id>/tasks/<task_id>", task_page.show, "task"),
    _post("/jobs/<job_id>/tasks/<task_id>/retry", task_page.retry, "retry"),
    # recurring crawls
    _get("/schedules", schedules.show, "schedules"),
    _post("/schedules", schedules.create, "create_schedule"),
    _get("/schedules/<id>", schedules.show_one, "schedule"),
    _post("/schedules/<id>", schedules.change, "change_schedule"),
    _post("/schedules/<id>/pause", schedules.pause, "pause_schedule"),
    _post("/schedules/<id>/resume", schedules.resume, "resume_schedule"),
    _post("/schedules/<id>/run", schedules.run, "run_schedule"),
    _post("/schedules/<id>/delete", schedules.delete, "delete_schedule"),
    # domains and their pages
    _get("/domains", domains.show, "domains"),
    _post("/domains", domains.create, "create_domain"),
    _get("/domains/<id>", domains.show_one, "domain"),
    _post("/domains/<id>/discover", domains.discover, "discover"),
    _post("/domains/<id>/crawl", domains.crawl, "crawl_domain"),
    _post("/domains/<id>/delete", domains.delete, "delete_domain"),
    _post("/domains/<id>/analytics", domains.connect, "connect_analytics"),
    _post("/domains/<id>/analytics/refresh", domains.refresh, "refresh_analytics"),
    _post("/domains/<id>/analytics/delete", domains.disconnect, "disconnect_analytics"),
    _post("/domains/<id>/pages", pages.create, "create_page"),
    _get("/pages/<id>", pages.show, "page"),
    _post("/pages/<id>/crawl", pages.crawl, "crawl_page"),
    _get("/changes", changes.show, "changes"),
    _get("/changes/<id>", changes.show_one, "change"),
    # webhooks and keys
    _get("/webhooks", webhooks.show, "webhooks"),
    _post("/webhooks", webhooks.create, "create_webhook"),
    _get("/webhooks/<id>", webhooks.show_one, "webhook"),
    _post("/webhooks/<id>/enable", webhooks.enable, "enable_webhook"),
    _post("/webhooks/<id>/disable", webhooks.disable, "disable_webhook"),
    _post("/webhooks/<id>/test", webhooks.test, "test_webhook"),
    _post("/webhooks/<id>/rotate", webhooks.rotate, "rotate_webhook"),
    _post("/webhooks/<id>/delete", webhooks.delete, "delete_webhook"),
    _post("/webhooks/<id>/deliveries/<delivery_id>/redeliver", webhooks.redeliver, "redeliver"),
    _get("/keys", keys.show, "keys", scope="admin"),
    Page("POST", "/keys", keys.create, "create_key", scope="admin"),
    Page("POST", "/keys/<id>/revoke", keys.revoke, "revoke_key", scope="admin"),
    # the queue, and queues for operators
    _get("/queues/jobs", queue_pages.show, "queue_jobs"),
    _post("/queues/jobs", queue_pages.act_on_some, "act_on_some"),
    Page("POST", "/queues/jobs/retry-failed", queue_pages.retry_failed, "retry_failed", scope="admin"),
    _get("/queues/jobs/<id>", queue_pages.show_one, "queue_job"),
    _post("/queues/jobs/<id>/<action>", queue_pages.act, "act"),
    _get("/queues", ops.show, "queues", scope="admin"),
    Page("POST", "/queues/<name>/pause", ops.pause, "pause", scope="admin"),
    Page("POST", "/queues/<name>/resume", ops.resume, "resume", scope="admin"),
    _get("/rq/", rq_pages.show, "rq", scope="admin"),
    _get("/rq/<path:rest>", rq_pages.show, "rq_page", scope="admin"),
    Page("POST", "/rq/<path:rest>", rq_pages.show, "rq_change", scope="admin", has_token=False),
)
