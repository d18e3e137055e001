"""What all servers and channels of ours have in common, whoever is at the other end."""

UNCOMPRESSED: tuple[str, int] = ("grpc.compression_enabled_algorithms_bitset", 1)
"""No message is compressed. gRPC takes a compressed one apart before it looks at its size, and before
anybody has asked who sent it: a megabyte on the wire may be a thousand in memory. A call with one ends
with UNIMPLEMENTED, as gRPC has it for an algorithm that a server does not know."""
