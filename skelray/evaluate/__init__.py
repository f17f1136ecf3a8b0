"""Protocols of measurement, one a file: what a frozen encoder is worth."""
