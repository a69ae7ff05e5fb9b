"""Commands about access: who calls a server, and with which tokens."""
