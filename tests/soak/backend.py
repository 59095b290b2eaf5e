"""`python -m tests.soak.backend`: a backend whose connections keep little of their files in memory.

What they may keep by themselves, two mebibytes each, is full after hours of a life like this. Until then it would look
like a leak of a few per cent, and hide one.
"""

from __future__ import annotations

import sys

from backend.__main__ import main
from backend.store import files

CACHE_KIBIBYTES = 128

if __name__ == "__main__":
    files.CACHE_KIBIBYTES = CACHE_KIBIBYTES
    sys.exit(main())
