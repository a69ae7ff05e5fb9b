"""`tracker retention`, `hold` and `erase`."""
