"""Formats shared by agent, compression and cloud: one versioned model per document.

Invariants:
- Standard library and pydantic only.
- Tolerant in, strict out: unknown fields are kept, never fatal; known fields are checked.
- A document's `schema` number grows only when an old reader could misread the new form.
"""
