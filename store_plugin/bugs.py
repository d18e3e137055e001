"""What is said of an error that nobody thought of, where the work goes on without a traceback.

Its text may hold anything, a secret too; its class and the line that it came from hold none.
"""

import traceback
from pathlib import Path

_OURS = Path(__file__).parent


def a_bug(error: BaseException) -> str:
    """Class and place of an error: `a bug (KeyError in store_plugin/bucket.py:27), please report it`."""
    return f"a bug ({type(error).__name__}{_place(error)}), please report it"


def _place(error: BaseException) -> str:
    """The innermost line of ours; nothing where there is none."""
    passed = (
        (Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)
    )
    ours = [(file, line) for file, line in passed if file.is_relative_to(_OURS)]
    return f" in {ours[-1][0].relative_to(_OURS.parent)}:{ours[-1][1]}" if ours else ""
