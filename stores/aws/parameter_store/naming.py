"""Which scoped names Parameter Store takes: the rules of PutParameter's API reference."""

import re
from dataclasses import dataclass
from typing import Self

_LONGEST_ARN = 1_011
_MOST_LEVELS = 15
_NAME = re.compile(r"[A-Za-z0-9_./-]+\Z")
_RESERVED = ("/aws", "/ssm")


@dataclass(frozen=True, slots=True)
class NameRules:
    """The rules in one region: the limit is one of the whole ARN."""

    longest: int

    @classmethod
    def of(cls, region: str) -> Self:
        return cls(_LONGEST_ARN - len(f"arn:aws-us-gov:ssm:{region}:123456789012:parameter"))

    def problem(self, full: str) -> str | None:
        """Why the service would refuse a name that is a scoped name."""
        if not _NAME.match(full):
            return "Parameter Store takes letters, digits and _ . - only"
        if full.lower().startswith(_RESERVED):
            return "Parameter Store takes no name that begins with aws or ssm; set a prefix"
        if len(full) > self.longest or full.count("/") > _MOST_LEVELS:
            return f"with its prefix it has more than {self.longest} characters or {_MOST_LEVELS} levels"
        return None
