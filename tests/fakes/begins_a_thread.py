"""A library that begins a thread when it is loaded, as some do."""

from __future__ import annotations

import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()
