"""What intakes receive: counts for each sender, and an inbox of messages that recorded nothing."""
