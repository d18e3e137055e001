"""Rules of the hub's own: who may register which name."""

import pytest

from store_plugin.errors import InvalidRequest, PluginRefused
from store_plugin.hub.authentication.allowing import AllowRule, allowed_by
from store_plugin.hub.peer import Identity

ACCOUNT = "system:serviceaccount:team-a:vault"


@pytest.mark.parametrize(
    ("rule", "user", "name"),
    [
        pytest.param(f"{ACCOUNT}=vault", ACCOUNT, "vault", id="one of each"),
        pytest.param(f"{ACCOUNT}=vault-*", ACCOUNT, "vault-eu", id="a pattern of names"),
        pytest.param(f"{ACCOUNT}=*", ACCOUNT, "anything", id="every name"),
        pytest.param("system:serviceaccount:team-a:*=vault", ACCOUNT, "vault", id="all of a namespace"),
        pytest.param("system:serviceaccount:*:vault=vault", ACCOUNT, "vault", id="of all namespaces"),
        pytest.param("spiffe://a/ns=x/sa=y=vault", "spiffe://a/ns=x/sa=y", "vault", id="user with ="),
        pytest.param("*.plugins.example=vault", "eu.plugins.example", "vault", id="a host name"),
    ],
)
async def test_allowed(rule: str, user: str, name: str) -> None:
    await allowed_by([AllowRule.parse(rule)])(Identity(user), name)


@pytest.mark.parametrize(
    ("rule", "user", "name"),
    [
        pytest.param(f"{ACCOUNT}=vault", ACCOUNT, "vault-eu", id="a longer name"),
        pytest.param(f"{ACCOUNT}=vault-*", ACCOUNT, "my-vault-eu", id="a name with something before"),
        pytest.param(f"{ACCOUNT}=vault", f"{ACCOUNT}-2", "vault", id="a longer user"),
        pytest.param(
            "system:serviceaccount:*=vault", ACCOUNT, "vault", id="a star does not reach over a colon"
        ),
        pytest.param("spiffe://a/*=vault", "spiffe://a/b/c", "vault", id="nor over a slash"),
        pytest.param("a.b=vault", "axb", "vault", id="a dot is a dot"),
        pytest.param(f"{ACCOUNT}=vault", "", "vault", id="nobody"),
    ],
)
async def test_not_allowed(rule: str, user: str, name: str) -> None:
    with pytest.raises(PluginRefused, match="no rule"):
        await allowed_by([AllowRule.parse(rule)])(Identity(user), name)


async def test_one_rule_of_several_is_enough() -> None:
    rules = [AllowRule.parse("a=x"), AllowRule.parse("b=y")]
    await allowed_by(rules)(Identity("b"), "y")
    with pytest.raises(PluginRefused):
        await allowed_by(rules)(Identity("a"), "y")


async def test_a_certificate_is_known_by_each_of_its_names() -> None:
    rule = AllowRule.parse("second.example=vault")
    await allowed_by([rule])(Identity("first.example", names=("first.example", "second.example")), "vault")


@pytest.mark.parametrize("text", ["", "vault", "=vault", "user=", "*=vault", "user=Vault", "user=a b"])
def test_what_is_no_rule_says_how_to_write_one(text: str) -> None:
    with pytest.raises(InvalidRequest, match="USER=NAME"):
        AllowRule.parse(text)


def test_a_rule_is_written_as_it_was_read() -> None:
    assert str(AllowRule.parse(f" {ACCOUNT}=vault-* ")) == f"{ACCOUNT}=vault-*"
