"""The walk over every operation of the public API models: how calls are sent, what answers are held against, what is excused.

| Module | Knows |
|---|---|
| `models` | the API models, and the tables of what the sandbox serves |
| `wire` | one raw call: no client between it and the sandbox |
| `answers` | whether an answer is exactly what the model says |
| `mutations` | every way in which a good request can be spoilt, from the model |
| `world`, `cases` | good requests, and what has to be there for them |
| `excused` | where AWS isn't what its model says, and why |
"""
