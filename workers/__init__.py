"""Worker processes: the concurrent RQ worker and the crawl engine. Builds on `shared` only."""
