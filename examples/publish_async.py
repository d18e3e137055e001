"""The same on asyncio: a secret for each of many objects at once, over one channel.

python examples/publish_async.py VaultConfig/vault [ENDPOINT]
"""

import asyncio
import sys

from store_plugin.client import AsyncClient

if len(sys.argv) < 2:
    sys.exit(__doc__)
CONFIG = sys.argv[1]
ENDPOINT = sys.argv[2] if len(sys.argv) > 2 else "unix:///@crossplane/secret/default.sock"


async def main() -> None:
    async with AsyncClient(ENDPOINT) as client, asyncio.timeout(30):
        names = [f"team-a/database-{number}" for number in range(20)]
        await asyncio.gather(*(client.apply(CONFIG, name, {"password": b"s3cret"}) for name in names))
        secrets = await asyncio.gather(*(client.get(CONFIG, name) for name in names))
        print("published:", sum(bool(secret.data) for secret in secrets))
        await asyncio.gather(*(client.delete(CONFIG, name) for name in names))


asyncio.run(main())
