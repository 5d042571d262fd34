"""A reference implementation of Raft: a core without I/O, a write-ahead log, and the target that replay drives."""
