"""What happens to every call around the service, one file each, outermost first: request
id, error mapping, metrics, access log, authentication, admission. `sidecar/app.py` puts
them together; docs/decisions/0003 tells why in this order."""
