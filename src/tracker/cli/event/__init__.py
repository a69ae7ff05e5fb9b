"""`tracker event`: record what happens, change it, find it again."""
