"""`tracker doctor`, `top` and `support-bundle`: for those who run a server."""
