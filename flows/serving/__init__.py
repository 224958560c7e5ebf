"""The flow as Prefect sees it: settings, server, form, roots, artifacts, progress, notifications."""
