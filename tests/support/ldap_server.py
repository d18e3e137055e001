"""`python -m tests.support.ldap_server PORT`: a directory with one person in one group.

Twisted's reactor is one per process, so this is a process of its own. It says `ready` when it
listens.
"""

import io
import sys

from ldaptor.inmemory import ReadOnlyInMemoryLDAPEntry, fromLDIFFile
from ldaptor.interfaces import IConnectedLDAPEntry
from ldaptor.protocols.ldap.ldapserver import LDAPServer
from twisted.internet import reactor
from twisted.internet.protocol import ServerFactory
from twisted.python.components import registerAdapter

from tests.support.ldap import GROUP, PASSWORD, USER

DIRECTORY = f"""\
dn: dc=example,dc=org
dc: example
objectClass: dcObject

dn: ou=people,dc=example,dc=org
ou: people
objectClass: organizationalUnit

dn: uid={USER},ou=people,dc=example,dc=org
uid: {USER}
objectClass: account
userPassword: {PASSWORD}

dn: ou=groups,dc=example,dc=org
ou: groups
objectClass: organizationalUnit

dn: cn={GROUP},ou=groups,dc=example,dc=org
cn: {GROUP}
objectClass: groupOfNames
member: uid={USER},ou=people,dc=example,dc=org

"""


class Directory(ServerFactory):
    """What every connection is served from."""

    protocol = LDAPServer

    def __init__(self, root: ReadOnlyInMemoryLDAPEntry) -> None:
        self.root = root


def serve(root: ReadOnlyInMemoryLDAPEntry) -> None:
    registerAdapter(lambda directory: directory.root, Directory, IConnectedLDAPEntry)
    reactor.listenTCP(int(sys.argv[1]), Directory(root), interface="127.0.0.1")
    print("ready", flush=True)


if __name__ == "__main__":
    fromLDIFFile(io.BytesIO(DIRECTORY.encode())).addCallback(serve)
    reactor.run()
