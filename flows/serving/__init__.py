"""The flow as Prefect sees it: settings, server, form, roots, outcomes, artifacts, progress, notifications."""
