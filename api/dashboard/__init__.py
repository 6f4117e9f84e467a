"""The dashboard: pages for people, rendered here from the same use cases as the API's answers."""

from api.dashboard.blueprint import register

__all__ = ["register"]
