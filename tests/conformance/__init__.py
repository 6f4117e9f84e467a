"""The crawl against material that nobody here wrote: `make conformance`."""
