"""The national side over HTTP: the status API in its plain form and under the national call names, logins for its
clients, and the tracking page."""
