"""The auth methods of an OpenBao server, each set up as a test of its login needs it."""

from collections.abc import Sequence
from uuid import uuid4

from tests.support.openbao_api import Api


class Logins(Api):
    """Mounts auth methods at names of their own, each with one role or user."""

    def mount_auth(self, kind: str, *, namespace: str = "", mount: str = "") -> str:
        mount = mount or f"{kind}-{uuid4().hex[:8]}"
        self.api("POST", f"sys/auth/{mount}", {"type": kind}, namespace=namespace)
        return mount

    def approle(
        self, policies: Sequence[str], *, namespace: str = "", **options: object
    ) -> tuple[str, str, str]:
        """Mount, role ID and secret ID of a new AppRole; no secret ID where it binds none."""
        mount = self.mount_auth("approle", namespace=namespace)
        body = {"token_policies": list(policies), **options}
        self.api("POST", f"auth/{mount}/role/app", body, namespace=namespace)
        role_id = self.api("GET", f"auth/{mount}/role/app/role-id", namespace=namespace)
        if not options.get("bind_secret_id", True):
            return mount, role_id["data"]["role_id"], ""
        secret_id = self.api("POST", f"auth/{mount}/role/app/secret-id", namespace=namespace)
        return mount, role_id["data"]["role_id"], secret_id["data"]["secret_id"]

    def jwt_auth(self, policies: Sequence[str], public_key: str, *, subject: str) -> str:
        """Mount of a JWT auth with the role `app` for tokens of one subject and audience `vault`."""
        mount = self.mount_auth("jwt")
        self.api("POST", f"auth/{mount}/config", {"jwt_validation_pubkeys": [public_key]})
        role = {
            "role_type": "jwt",
            "user_claim": "sub",
            "bound_subject": subject,
            "bound_audiences": ["vault"],
            "token_policies": list(policies),
        }
        self.api("POST", f"auth/{mount}/role/app", role)
        return mount

    def userpass(
        self, policies: Sequence[str], user: str, password: str, *, namespace: str = "", mount: str = ""
    ) -> str:
        """Mount of a UserPass auth with one user."""
        mount = self.mount_auth("userpass", namespace=namespace, mount=mount)
        body = {"password": password, "token_policies": list(policies)}
        self.api("POST", f"auth/{mount}/users/{user}", body, namespace=namespace)
        return mount

    def cert_auth(self, policies: Sequence[str], ca: bytes, *, names: Sequence[str]) -> str:
        """Mount of a Cert auth with the role `app` for certificates of a CA with these names."""
        mount = self.mount_auth("cert")
        role = {"certificate": ca.decode(), "allowed_dns_sans": list(names), "token_policies": list(policies)}
        self.api("POST", f"auth/{mount}/certs/app", role)
        return mount

    def ldap_auth(self, policies: Sequence[str], url: str, group: str, *, mount: str = "") -> str:
        """Mount of an LDAP auth (a plugin) that gives the policies to the group."""
        mount = self.mount_auth("vault-plugin-auth-ldap", mount=mount)
        config = {
            "url": url,
            "userdn": "ou=people,dc=example,dc=org",
            "userattr": "uid",
            "groupdn": "ou=groups,dc=example,dc=org",
        }
        self.api("POST", f"auth/{mount}/config", config)
        self.api("POST", f"auth/{mount}/groups/{group}", {"policies": list(policies)})
        return mount

    def aws_auth(
        self, policies: Sequence[str], sts: str, identity: str, *, region: str, header: str, mount: str = ""
    ) -> str:
        """Mount of an AWS auth (a plugin) with the role `crossplane` for an identity; it asks `sts`."""
        mount = self.mount_auth("vault-plugin-auth-aws", mount=mount)
        client = {"sts_endpoint": sts, "sts_region": region, "iam_server_id_header_value": header}
        self.api("POST", f"auth/{mount}/config/client", client)
        role = {
            "auth_type": "iam",
            "bound_iam_principal_arn": [identity],
            "resolve_aws_unique_ids": False,
            "token_policies": list(policies),
        }
        self.api("POST", f"auth/{mount}/role/crossplane", role)
        return mount

    def demand_totp(self, mount: str) -> None:
        """Have logins at an auth mount demand a second factor."""
        accessor = self.api("GET", "sys/auth")["data"][f"{mount}/"]["accessor"]
        method = self.api("POST", "identity/mfa/method/totp", {"issuer": "test"})["data"]["method_id"]
        body = {"mfa_method_ids": [method], "auth_method_accessors": [accessor]}
        self.api("POST", f"identity/mfa/login-enforcement/{mount}", body)

    def kubernetes_auth(
        self,
        policies: Sequence[str],
        api_server: str,
        ca: bytes,
        *,
        service_account: str,
        scope: str,
        **options: object,
    ) -> str:
        """Mount of a Kubernetes auth with the role `app` for one ServiceAccount."""
        mount = self.mount_auth("kubernetes")
        config = {
            "kubernetes_host": api_server,
            "kubernetes_ca_cert": ca.decode(),
            "disable_local_ca_jwt": True,
        }
        self.api("POST", f"auth/{mount}/config", config)
        role = {
            "bound_service_account_names": [service_account],
            "bound_service_account_namespaces": [scope],
            "token_policies": list(policies),
            **options,
        }
        self.api("POST", f"auth/{mount}/role/app", role)
        return mount
