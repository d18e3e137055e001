"""What users may import in their own tests: an in-memory store and the suites that prove one.

- `memory.MemoryStore`: a store without a service; needs no test library.
- `environment.MemoryCredentials`, `RecordingLog`: what a store is opened with; needs no test library.
- `recording.RecordingStore`: notes the calls to any store; needs no test library.
- `contract.StoreContract`: the tests that every store passes (pytest, pytest-asyncio).
- `machine.store_machine`: a store against a plain model (hypothesis).

The last two need the extra `store-plugin[testing]`.
"""
