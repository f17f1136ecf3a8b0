"""Skeletons of one's own: what `skeletons.yaml` says, and clips from arrays and tables read by it."""
