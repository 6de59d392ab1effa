"""The dialog Models: installed models with their cards, added, removed, renamed and compared."""
