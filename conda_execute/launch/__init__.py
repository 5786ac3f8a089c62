"""Becoming the script: activation, the launch record and exec."""
