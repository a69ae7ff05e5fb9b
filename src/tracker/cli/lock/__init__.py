"""`tracker lock`: takes, renews, releases and lists locks, and runs a command under one."""
