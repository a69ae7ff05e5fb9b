"""One class a service, one method an RPC."""
