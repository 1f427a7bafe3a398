"""One file a tab of the browser, and what a tab is made of."""
