"""The raw files of NTU RGB+D 60 and 120: their text, their names, and how the official scripts prepare them."""
