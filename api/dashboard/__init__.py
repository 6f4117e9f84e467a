"""The dashboard: pages for people, rendered here from the same use cases as the API's answers."""
