"""`python -m tests.soak.backend`: a backend whose connections keep little of their files in memory, and no long past.

What they may keep by themselves, two mebibytes each, is full after hours of a life like this. Until then it would look
like a leak of a few per cent, and hide one. And what is remembered of requests for a day would grow for a day.
"""

from __future__ import annotations

import sys
from datetime import timedelta

from backend.__main__ import main
from backend.store import files, transaction

CACHE_KIBIBYTES = 128
REPEATED_WITHIN = timedelta(seconds=40)

if __name__ == "__main__":
    files.CACHE_KIBIBYTES = CACHE_KIBIBYTES
    transaction.REPEATED_WITHIN = REPEATED_WITHIN
    sys.exit(main())
