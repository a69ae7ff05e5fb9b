"""The chain of steps that every request passes through, put together in `app.py`."""
