"""Moments as messages carry them."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp


def timestamp(moment: datetime) -> Timestamp:
    """Of a moment whose zone is known."""
    found = Timestamp()
    found.FromDatetime(moment)
    return found
