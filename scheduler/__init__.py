"""The scheduler process: due tasks, the sweep, cron, retention. Builds on `shared` only."""
