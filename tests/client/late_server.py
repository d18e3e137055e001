"""An ESS server in a process of its own, which starts late and ends with its standard input."""

import sys
import time

from tests.client.ess_server import serving

if __name__ == "__main__":
    time.sleep(float(sys.argv[2]))
    with serving(sys.argv[1]):
        sys.stdin.read()
