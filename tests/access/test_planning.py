"""What is run for one cluster, and that nothing of one cluster reaches another.

The names W1 to W6 and T15 are weaknesses and cases known of consumers of this API.
"""

from base64 import b64encode
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_plugin.access import AccessConfig, ClusterProfile, Provider
from store_plugin.access.exec_credential import API_VERSIONS
from store_plugin.access.execution.runner import ExecCall
from store_plugin.access.planning import (
    ARGUMENTS_EXTENSION,
    CONFIG_EXTENSION,
    VARIABLES_EXTENSION,
    planned,
)
from store_plugin.access.refused import NAMES, PREFIXES
from store_plugin.errors import ConfigInvalid
from tests.docs.pages import DOCS, rows, section
from tests.support.certificates import CertificateAuthority
from tests.support.exec_plugins import profile, provider

AUTHORITY = b64encode(CertificateAuthority.create().pem).decode()
TWO_NAMES = b64encode(
    CertificateAuthority.create().pem
    + CertificateAuthority.create("Other").pem.replace(b"CERTIFICATE", b"X509 CERTIFICATE")
).decode()
"""What OpenSSL takes for two authorities, and Go for one."""
NOT_ASCII = b64encode(CertificateAuthority.create().pem.replace(b"MII", b"M\xffI")).decode()
IGNORED: dict[str, str] = {}
APPEND = {"profileSourcedCLIArgsPolicy": "Append", "profileSourcedEnvVarsPolicy": "AppendIfNotExists"}
REPLACE = {"profileSourcedCLIArgsPolicy": "Append", "profileSourcedEnvVarsPolicy": "Replace"}
OWN = {"args": ["--own"], "env": [{"name": "CLIENT_ID", "value": "own"}]}
MORE = {
    ARGUMENTS_EXTENSION: ["--more", "x"],
    VARIABLES_EXTENSION: {"ZONE": "z", "CLIENT_ID": "theirs", "AREA": "a"},
}


def call(entry: dict[str, Any], found: dict[str, Any], environ: dict[str, str] | None = None) -> ExecCall:
    one = Provider.model_validate(entry)
    parsed = ClusterProfile.from_object(found)
    return planned(one, parsed, parsed.access(one.name), environ=environ or {})


def variables(planned_call: ExecCall) -> dict[str, str]:
    """Those of the provider and the profile, in order."""
    ours = ("PATH", "STORE_PLUGIN_CLUSTER_PROFILE_NAME", "STORE_PLUGIN_CLUSTER_PROFILE_NAMESPACE")
    return {name: value for name, value in planned_call.environment.items() if name not in ours}


@pytest.mark.parametrize(
    ("policies", "extensions", "arguments", "environment"),
    [
        (APPEND, {}, ("--own",), {"CLIENT_ID": "own"}),
        (APPEND, MORE, ("--own", "--more", "x"), {"CLIENT_ID": "own", "AREA": "a", "ZONE": "z"}),
        (REPLACE, MORE, ("--own", "--more", "x"), {"CLIENT_ID": "theirs", "AREA": "a", "ZONE": "z"}),
        (IGNORED, MORE, ("--own",), {"CLIENT_ID": "own"}),
    ],
    ids=["no-additional", "append-if-not-exists", "replace", "ignore-both"],
)
def test_policies_decide_what_a_profile_adds(
    policies: dict[str, str],
    extensions: dict[str, Any],
    arguments: tuple[str, ...],
    environment: dict[str, str],
) -> None:
    found = call(provider("p", **OWN, **policies), profile(extensions=extensions))
    assert found.arguments == arguments
    assert list(variables(found).items()) == list(environment.items())


@pytest.mark.parametrize("policies", [APPEND, REPLACE], ids=["append", "replace"])
def test_w1_t15_clusters_of_one_provider_do_not_affect_each_other(policies: dict[str, str]) -> None:
    entry = provider("p", **OWN, **policies, provideClusterInfo=True)
    one = Provider.model_validate(entry)
    before = one.model_dump_json()
    bare = {**entry, "execConfig": {**entry["execConfig"], "env": []}}
    for each in (entry, bare):
        alone = call(each, profile("b", extensions={VARIABLES_EXTENSION: {"CLIENT_ID": "b"}}))
        call(each, profile("a", extensions={VARIABLES_EXTENSION: {"CLIENT_ID": "a", "ONLY": "a"}}))
        call(each, profile("a", extensions={ARGUMENTS_EXTENSION: ["--a"]}))
        again = call(each, profile("b", extensions={VARIABLES_EXTENSION: {"CLIENT_ID": "b"}}))
        assert again == alone
        assert "ONLY" not in again.environment
    assert one.model_dump_json() == before


def test_w1_the_config_of_a_cluster_is_a_copy() -> None:
    found = profile(extensions={CONFIG_EXTENSION: {"audience": ["a"]}})
    parsed = ClusterProfile.from_object(found)
    kept = deepcopy(found)
    one = Provider.model_validate(provider("p", provideClusterInfo=True))
    first = planned(one, parsed, parsed.access("tests"), environ={})
    assert first.info.cluster is not None
    first.info.cluster.config["audience"].append("b")
    found["status"]["accessProviders"][0]["cluster"]["server"] = "https://elsewhere"
    again = planned(one, parsed, parsed.access("tests"), environ={})
    assert again.info.cluster is not None
    assert again.info.cluster.config == {"audience": ["a"]}
    assert again.info.cluster.server == kept["status"]["accessProviders"][0]["cluster"]["server"]


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=8))
def test_w1_what_is_run_depends_on_the_profile_alone(order: list[str]) -> None:
    entry = provider("p", **OWN, **REPLACE)
    profiles = {
        name: profile(
            name, extensions={ARGUMENTS_EXTENSION: [f"--{name}"], VARIABLES_EXTENSION: {name: name}}
        )
        for name in "abc"
    }
    alone = {name: call(entry, found) for name, found in profiles.items()}
    assert [call(entry, profiles[name]) for name in order] == [alone[name] for name in order]


@pytest.mark.parametrize("policies", [IGNORED, APPEND, REPLACE], ids=["ignore", "append", "replace"])
def test_w2_t15_extensions_that_are_null_add_nothing(policies: dict[str, str]) -> None:
    extensions = dict.fromkeys((ARGUMENTS_EXTENSION, VARIABLES_EXTENSION, CONFIG_EXTENSION))
    assert call(provider("p", **OWN, **policies), profile(extensions=extensions)) == call(
        provider("p", **OWN), profile()
    )


@pytest.mark.parametrize(
    ("extension", "value", "problem"),
    [
        (ARGUMENTS_EXTENSION, "--text", "must be a list of texts"),
        (ARGUMENTS_EXTENSION, [1], "must be a list of texts"),
        (ARGUMENTS_EXTENSION, ["a\0b"], "must be a list of texts"),
        (VARIABLES_EXTENSION, ["A=b"], "must be names with texts"),
        (VARIABLES_EXTENSION, {"A": 1}, "must be names with texts"),
        (VARIABLES_EXTENSION, {"A=B": "c"}, "must be names with texts"),
        (VARIABLES_EXTENSION, {"": "c"}, "must be names with texts"),
        (VARIABLES_EXTENSION, {"A": "\0"}, "must be names with texts"),
        (VARIABLES_EXTENSION, {"PATH": "/tmp"}, "may not set PATH"),
        (VARIABLES_EXTENSION, {"LD_PRELOAD": "x.so"}, "may not set LD_PRELOAD"),
        (VARIABLES_EXTENSION, {"PYTHONPATH": "/tmp"}, "may not set PYTHONPATH"),
        (VARIABLES_EXTENSION, {"KUBERNETES_EXEC_INFO": "{}"}, "may not set KUBERNETES_EXEC_INFO"),
        (VARIABLES_EXTENSION, {"OPENSSL_CONF": "/tmp/x"}, "may not set OPENSSL_CONF"),
        (VARIABLES_EXTENSION, {"SSLKEYLOGFILE": "/tmp/x"}, "may not set SSLKEYLOGFILE"),
        (VARIABLES_EXTENSION, {"REQUESTS_CA_BUNDLE": "/tmp/x"}, "may not set REQUESTS_CA_BUNDLE"),
        (VARIABLES_EXTENSION, {"http_proxy": "http://x"}, "may not set http_proxy"),
        (VARIABLES_EXTENSION, {"GRPC_TRACE": "http"}, "may not set GRPC_TRACE"),
        (VARIABLES_EXTENSION, {"STORE_PLUGIN_ENDPOINT": "x"}, "may not set STORE_PLUGIN_ENDPOINT"),
    ],
)
def test_an_extension_that_cannot_be_used_is_told(extension: str, value: object, problem: str) -> None:
    with pytest.raises(ConfigInvalid, match=f"profile fleet/member: {extension} {problem}"):
        call(provider("p", **REPLACE), profile(extensions={extension: value}))
    call(provider("p"), profile(extensions={extension: value}))  # nothing of it is looked at


@pytest.mark.parametrize(
    "name", ["AWS_REGION", "AWS_PROFILE", "CLOUDSDK_CORE_PROJECT", "HTTPS_PROXY", "ZONE"]
)
def test_a_variable_that_says_what_is_wanted_passes(name: str) -> None:
    found = call(provider("p", **REPLACE), profile(extensions={VARIABLES_EXTENSION: {name: "x"}}))
    assert found.environment[name] == "x"


def test_the_variables_that_are_refused_are_those_of_the_page() -> None:
    """Each of them, in both spellings; and the page names no other."""
    page = rows(section(DOCS / "cluster-access.md", "Variables that no profile sets"))
    told = {name for row in page for name in row[0].replace("`", "").split(", ")}
    assert told == {*NAMES, *(f"{prefix}…" for prefix in PREFIXES)}
    for name in (one.replace("…", "X") for one in told):
        for spelled in (name, name.lower()):
            extensions = {VARIABLES_EXTENSION: {spelled: "x"}}
            with pytest.raises(ConfigInvalid, match=f"may not set {spelled}"):
                call(provider("p", **REPLACE), profile(extensions=extensions))


def test_w3_all_of_the_cluster_reaches_the_plugin() -> None:
    found = profile(
        extensions={CONFIG_EXTENSION: {"audience": "x"}},
        **{
            "tls-server-name": "internal",
            "insecure-skip-tls-verify": True,
            "disable-compression": True,
            "proxy-url": "http://proxy:3128",
        },
    )
    cluster = call(provider("p", provideClusterInfo=True), found).info.cluster
    assert cluster is not None
    assert (cluster.server, cluster.tls_server_name) == ("https://127.0.0.1:6443", "internal")
    assert cluster.insecure_skip_tls_verify
    assert cluster.disable_compression
    assert cluster.proxy_url == "http://proxy:3128"
    assert cluster.config == {"audience": "x"}
    assert call(provider("p"), found).info.cluster is None


@pytest.mark.parametrize(
    ("mode", "version", "available", "interactive"),
    [
        ("Never", 0, True, False),
        ("IfAvailable", 0, True, True),
        ("IfAvailable", 0, False, False),
        ("Always", 0, True, True),
        (None, 0, True, False),
        (None, 1, True, True),
        (None, 1, False, False),
    ],
)
def test_w3_the_interactive_mode_is_the_providers(
    mode: str | None, version: int, available: bool, interactive: bool
) -> None:
    one = Provider.model_validate(provider("p", interactiveMode=mode, apiVersion=API_VERSIONS[version]))
    parsed = ClusterProfile.from_object(profile())
    found = planned(one, parsed, parsed.access("tests"), environ={}, interactive=available)
    assert found.info.interactive is interactive


def test_w3_a_plugin_that_needs_a_person_is_not_run_without_one() -> None:
    with pytest.raises(ConfigInvalid, match="asks a person"):
        call(provider("p", interactiveMode="Always"), profile())


def test_w5_a_plugin_sees_what_is_allowed_of_our_environment() -> None:
    ours = {"PATH": "/bin", "HOME": "/h", "VAULT_TOKEN": "x", "AWS_ROLE_ARN": "r", "STORE_PLUGIN_TOKEN": "t"}
    found = call(provider("p", inheritEnv=["AWS_ROLE_ARN"]), profile(), ours)
    assert variables(found) == {"HOME": "/h", "AWS_ROLE_ARN": "r"}
    assert found.environment["PATH"] == "/bin"


def test_w6_which_profile_it_is_comes_from_its_metadata() -> None:
    extensions = {VARIABLES_EXTENSION: {"STORE_PLUGIN_CLUSTER_PROFILE_NAME": "somebody-else"}}
    with pytest.raises(ConfigInvalid, match="may not set STORE_PLUGIN_CLUSTER_PROFILE_NAME"):
        call(provider("p", **REPLACE), profile("mine", extensions=extensions))
    found = call(provider("p"), profile("mine", extensions=extensions))
    assert found.environment["STORE_PLUGIN_CLUSTER_PROFILE_NAMESPACE"] == "fleet"
    assert found.environment["STORE_PLUGIN_CLUSTER_PROFILE_NAME"] == "mine"


# Which provider.


def with_entries(**fields: list[tuple[str, str]]) -> dict[str, Any]:
    """A profile whose lists name these providers and servers."""
    status = {
        field: [{"name": name, "cluster": {"server": server}} for name, server in entries]
        for field, entries in fields.items()
    }
    return {**profile(), "status": status}


A, B, C = (f"https://{name}" for name in "abc")


@pytest.mark.parametrize(
    ("order", "found", "chosen"),
    [
        ("xy", with_entries(accessProviders=[("x", A), ("y", B)]), ("x", A)),
        ("yx", with_entries(accessProviders=[("x", A), ("y", B)]), ("y", B)),
        ("x", with_entries(credentialProviders=[("x", A)]), ("x", A)),
        ("x", with_entries(accessProviders=[("x", B)], credentialProviders=[("x", A)]), ("x", B)),
        ("x", with_entries(accessProviders=[("y", B)], credentialProviders=[("x", A)]), ("x", A)),
        ("xy", with_entries(accessProviders=[("y", B)], credentialProviders=[("x", A)]), ("x", A)),
        ("zx", with_entries(accessProviders=[("x", C)]), ("x", C)),
    ],
    ids=["first", "our-order", "older-name", "newer-wins", "both-are-read", "order-over-both", "others"],
)
def test_t15_the_consumers_order_chooses_among_both_lists(
    order: str, found: dict[str, Any], chosen: tuple[str, str]
) -> None:
    with AccessConfig([Provider.model_validate(provider("p", name)) for name in order]) as access:
        one, cluster = access.choose(found)
        assert (one.name, cluster.server) == chosen


@pytest.mark.parametrize(
    ("providers", "found", "problem"),
    [
        (["x"], with_entries(accessProviders=[("y", A)]), "profile fleet/member: it names 'y', .* has 'x'"),
        ([], with_entries(accessProviders=[("y", A)]), "has none"),
        (["x"], with_entries(), "it names none"),
        (["x"], {**profile(), "status": None}, "it names none"),
        (["x"], {"kind": "ClusterProfile"}, "no ClusterProfile with a name"),
        (["x"], {"kind": "Pod", "metadata": {"name": "x"}}, "no ClusterProfile"),
    ],
)
def test_a_profile_that_names_no_provider_of_ours_is_told(
    providers: list[str], found: dict[str, Any], problem: str
) -> None:
    config = AccessConfig([Provider.model_validate(provider("p", name)) for name in providers])
    with config, pytest.raises(ConfigInvalid, match=problem):
        config.choose(found)


@pytest.mark.parametrize(
    ("cluster", "problem"),
    [
        ({"server": ""}, "server must be"),
        ({"server": "http://plain"}, "server must be an address as https://"),
        ({"server": "https://u:p@host"}, "server must be"),
        ({"server": "https://host:99999"}, "server must be"),
        ({"server": 5}, "server must be text"),
        ({"certificate-authority-data": "%"}, "certificates in PEM and no other blocks, in base64"),
        ({"certificate-authority-data": "aGVsbG8="}, "certificates in PEM and no other blocks"),
        ({"certificate-authority-data": TWO_NAMES}, "certificates in PEM and no other blocks"),
        ({"certificate-authority-data": NOT_ASCII}, "certificates in PEM and no other blocks"),
        ({"insecure-skip-tls-verify": "yes"}, "insecure-skip-tls-verify must be true or false"),
        ({"proxy-url": "ftp://x"}, "proxy-url must be"),
        ({"extensions": {}, "tls-server-name": []}, "tls-server-name must be text"),
        (
            {
                "insecure-skip-tls-verify": True,
                "certificate-authority-data": AUTHORITY,
            },
            "does not go with certificate-authority-data",
        ),
    ],
)
def test_what_a_profile_says_wrong_of_its_cluster_is_told(cluster: dict[str, Any], problem: str) -> None:
    found = profile(**{"server": "https://a", **cluster})
    with pytest.raises(ConfigInvalid, match=rf"profile fleet/member, provider 'tests': .*{problem}"):
        ClusterProfile.from_object(found).access("tests")


@pytest.mark.parametrize("between", [b"# Issuer: X\n", "# Kibocsátó\n".encode(), b"\xff\xfe\r\n"])
def test_what_stands_around_the_certificates_reaches_nobody(between: bytes) -> None:
    """As files of authorities have comments, in any encoding; kubectl takes them."""
    first, second = CertificateAuthority.create().pem, CertificateAuthority.create("Other").pem
    data = b64encode(between + first + between + second + between).decode()
    found = ClusterProfile.from_object(profile(**{"certificate-authority-data": data})).access("tests")
    assert found.certificate_authority_data == first + second


def test_a_path_to_a_certificate_authority_is_never_followed() -> None:
    found = profile(**{"certificate-authority": "/etc/passwd"})
    assert ClusterProfile.from_object(found).access("tests").certificate_authority_data == b""
