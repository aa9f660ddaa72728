"""What is written for a browser, looked at by one."""
