"""Numbers to pictures: functions that return a matplotlib figure. Nothing here is imported before one is drawn."""
