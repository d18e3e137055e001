"""What a server says of the certificate that it is shown, or that it misses.

In TLS 1.3 it says so after the handshake, when the request is already under way; then the
connection ends, and its end may be all that is seen. So where a connection was reset, another
one only listens.
"""

import asyncio
import ssl

_SECONDS = 1.0
"""For the handshake and the word after it. A server that says nothing has no objection."""


async def objection(host: str, port: int, context: ssl.SSLContext, server_name: str) -> ssl.SSLError | None:
    """The alert that ends a new connection; None where none does, whatever else happens."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=server_name
            )
            await reader.read(1)
    except ssl.SSLError as alert:
        return alert
    except OSError:
        return None
    finally:
        if writer is not None:
            writer.transport.abort()
    return None
