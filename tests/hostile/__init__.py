"""Servers and pages made to hurt a crawler: a table of them, and what each may cost."""
