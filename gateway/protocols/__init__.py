"""Wire formats, in both directions: bytes in, values out; nothing here sends anything."""
