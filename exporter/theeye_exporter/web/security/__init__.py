"""Who may talk to the web server, and how: what a web configuration file says, applied to connections and requests."""
