"""What goes in and out over HTTP: pydantic models, from which the OpenAPI document is made."""
