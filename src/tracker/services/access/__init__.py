"""Access control: who callers are, and the keys that say so."""
