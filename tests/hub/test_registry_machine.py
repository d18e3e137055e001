"""Any order of connecting, replacing, refusing, draining and late ends leaves the registry right."""

from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from store_plugin.errors import AlreadyConnected, Overloaded, PluginRefused
from store_plugin.hub.peer import Identity, Peer
from store_plugin.hub.registry import Entry, Limits, OnDuplicate, Registry

MOST, MOST_PER_USER = 4, 3
NAMES = st.sampled_from(("a", "b", "c"))
INSTANCES = st.sampled_from(("", "one", "two"))
USERS = st.sampled_from(("", "alice", "bob"))


class Instance:
    """What a session is to the registry."""

    def __init__(self, peer: Peer, in_flight: int) -> None:
        self.peer = peer
        self.in_flight = in_flight
        self.draining = False
        self.asked_to_come_again = False
        self.drained = 0


class RegistryMachine(RuleBasedStateMachine):
    """Compares with a plain list of who should be there."""

    entries = Bundle("entries")

    @initialize(policy=st.sampled_from(OnDuplicate))
    def begin(self, policy: OnDuplicate) -> None:
        self.policy = policy
        self.registry = Registry(Limits(MOST, MOST_PER_USER), policy)
        self.expected: list[Entry] = []
        self.numbers = count()

    @rule(
        target=entries,
        name=NAMES,
        instance=INSTANCES,
        user=USERS,
        proved=st.booleans(),
        in_flight=st.integers(0, 3),
        local=st.sampled_from((False, False, False, True)),
    )
    def connect(
        self, name: str, instance: str, user: str, proved: bool, in_flight: int, local: bool
    ) -> Entry | None:
        peer = Peer(
            name,
            "1",
            instance or f"made-up-{next(self.numbers)}",
            announced_instance=bool(instance),
            identity=Identity(user, instance=instance if proved and user else ""),
            local=local,
        )
        twins = [e for e in self.expected if e.peer.name == name and self.twins(e.peer, peer)]
        others = [e for e in self.expected if e not in twins]
        of_user = sum(e.peer.identity.user == user for e in others)
        allowed = len(others) < MOST and (not user or of_user < MOST_PER_USER)
        if self.policy is OnDuplicate.REJECT:
            allowed = allowed and all(self.come_again(e, peer) for e in twins)
        if not local:
            allowed = allowed and not any(e.peer.local and e.peer.name == name for e in self.expected)
        arrived = Instance(peer, in_flight)
        try:
            entry = self.registry.add(arrived, lambda: setattr(arrived, "drained", arrived.drained + 1))
        except (AlreadyConnected, Overloaded, PluginRefused):
            assert not allowed
            return None
        assert allowed
        self.expected = [*others, entry]
        for twin in twins:
            assert twin.instance.drained == 1
        return entry

    @staticmethod
    def twins(one: Peer, other: Peer) -> bool:
        if one.local or other.local:
            return True  # it shares its name with nobody
        both = one.announced_instance and other.announced_instance
        return one.instance_id == other.instance_id if both else True

    @staticmethod
    def come_again(there: Entry, peer: Peer) -> bool:
        """Whether this is no duplicate but the same one, as it proved, or as it was asked to; or a
        provider of this process, which takes its name from plugins."""
        if peer.local and not there.peer.local:
            return True
        asked = there.instance.asked_to_come_again and there.peer.instance_id == peer.instance_id
        return there.peer.identity.user == peer.identity.user and (asked or peer.identity.instance != "")

    @rule(entry=entries)
    def ask_to_come_again(self, entry: Entry | None) -> None:
        if entry is not None:
            entry.instance.asked_to_come_again = True  # type: ignore[misc]

    @rule(entry=entries)
    def drain(self, entry: Entry | None) -> None:
        if entry is None:
            return
        before = entry.instance.drained
        self.registry.drain(entry)
        assert entry.instance.drained == before + (entry in self.expected)
        self.forget(entry)

    @rule(entry=entries)
    def end(self, entry: Entry | None) -> None:
        """Also of one that was replaced long ago, or has ended before."""
        if entry is not None:
            self.registry.remove(entry, "gone")
            self.forget(entry)

    def forget(self, entry: Entry) -> None:
        self.expected = [e for e in self.expected if e is not entry]

    @invariant()
    def all_are_there_and_nobody_else(self) -> None:
        assert set(self.registry.entries()) == set(self.expected)
        assert len(self.registry) == len(self.expected) <= MOST

    @invariant()
    def picks_are_the_least_busy(self) -> None:
        for name in ("a", "b", "c"):
            ready = [e for e in self.expected if e.peer.name == name]
            picked = self.registry.pick(name)
            assert (picked is None) == (not ready)
            if picked is not None:
                assert picked in ready
                assert picked.instance.in_flight == min(e.instance.in_flight for e in ready)

    @invariant()
    def generations_differ(self) -> None:
        assert len({e.generation for e in self.expected}) == len(self.expected)


TestRegistryMachine = RegistryMachine.TestCase
TestRegistryMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
