"""Configuration as data: import and export, accounts, the first start."""
