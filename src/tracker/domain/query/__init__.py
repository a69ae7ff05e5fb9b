"""The query language: parsed to a typed tree, rendered as text, and evaluated on an event.

`service:payments status:(failure OR error) -type:drift "timed out" duration:>5m since:24h`
"""
