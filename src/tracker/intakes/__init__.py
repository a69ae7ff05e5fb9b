"""Intakes: what clients of other products send, as events. `senders.py` has the table of them."""
