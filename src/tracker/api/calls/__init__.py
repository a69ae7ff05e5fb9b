"""The chain that every request passes through: one module a step, put together in `app.py`."""
