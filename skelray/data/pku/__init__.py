"""PKU-MMD's own files: what lies where (folder), and what stands in them (text)."""
