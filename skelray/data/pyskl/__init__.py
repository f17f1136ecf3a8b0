"""Annotations as PYSKL and MMAction2 keep them: one pickle a data set."""
