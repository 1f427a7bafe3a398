"""The verbs of launch.py: options, help, one file for each verb."""
