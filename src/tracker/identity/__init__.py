"""Who callers are according to others: issuers of id tokens, and the rules for their tokens."""
