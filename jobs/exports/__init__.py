"""The best of a run in the forms that others read: PNG files, CSV, Hugging Face, WebDataset."""
