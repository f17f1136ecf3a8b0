"""Tables and pictures from a results folder: no torch, no Ray."""
