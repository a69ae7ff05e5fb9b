"""The parts of a server, each put together from what it needs; `tracker.app` makes the server of them."""
