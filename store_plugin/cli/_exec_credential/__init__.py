"""`store-plugin exec-credential`, run for every connection of a kubectl: it must start fast.

So it is no command of click, nor has it a library of its own to read its arguments with
(docs/decisions, "A credential plugin starts without click").
"""

import os
from collections.abc import Sequence
from typing import NoReturn

from store_plugin.access.credential_plugin import fail, run
from store_plugin.access.exec_credential import ExecInfo, ExecStatus
from store_plugin.cli._exec_credential.options import read
from store_plugin.errors import InvalidRequest

PROGRAM = "store-plugin exec-credential"


def main(arguments: Sequence[str]) -> NoReturn:
    """Answer one request, as the arguments say; ends the process."""
    try:
        options = read(arguments, os.environ)
    except InvalidRequest as error:
        fail(PROGRAM, error)

    def provide(info: ExecInfo) -> ExecStatus:
        # The client and gRPC are imported only for a request that can be answered.
        from store_plugin.cli._exec_credential.answering import credential

        return credential(options, info, os.environ)

    run(provide, name=PROGRAM, timeout=options.timeout)
