"""What happens to every call around the service, one file each, outermost first:
request id, error mapping, metrics, authentication, admission, access log."""
