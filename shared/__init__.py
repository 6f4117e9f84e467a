"""What two or more sides of Crawlyard need. Imports none of `api`, `workers`, `scheduler`."""
