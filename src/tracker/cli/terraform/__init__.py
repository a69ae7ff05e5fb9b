"""`tracker terraform`: lists, prints and restores states of Terraform."""
