"""Variables that no ClusterProfile gives to a plugin, whatever the policy.

They decide which code runs, whom it believes, where it looks for its login, who reads along, or
what our own plugin answers. No such list can be complete: what a variable does is its program's
affair.
"""

NAMES = frozenset(
    {
        # Which code runs, and with which files of settings.
        "PATH", "HOME", "ENV", "IFS", "SHELL", "SHELLOPTS", "BASHOPTS", "ZDOTDIR", "EDITOR", "VISUAL",
        "PAGER", "BROWSER", "CLASSPATH", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "GLIBC_TUNABLES", "GODEBUG",
        # Whom it believes, and who reads along.
        "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
        "HTTP_PROXY", "ALL_PROXY", "HOSTALIASES", "LOCALDOMAIN", "RES_OPTIONS", "NETRC",
        # Where the tools of clouds and clusters look for their login, and to whom they show it.
        "KUBECONFIG", "AWS_CA_BUNDLE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_DATA_PATH",
        "AWS_WEB_IDENTITY_TOKEN_FILE", "CLOUDSDK_CONFIG", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
        "GOOGLE_APPLICATION_CREDENTIALS", "AZURE_AUTHORITY_HOST", "AZURE_CONFIG_DIR", "AZURE_EXTENSION_DIR",
        "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "IMDS_ENDPOINT", "MSI_ENDPOINT",
    }
)  # fmt: skip
PREFIXES = (
    "LD_", "DYLD_", "GCONV_", "BASH_", "PYTHON", "PERL", "RUBY", "NODE_", "NPM_", "JAVA_", "LUA_", "PHP",
    "DOTNET_", "CORECLR_", "GIT_", "XDG_",
    "OPENSSL_", "GRPC_", "KRB5", "SSH_",
    "KUBERNETES_", "AWS_ENDPOINT_URL", "AWS_CONTAINER_", "AWS_EC2_METADATA_", "CLOUDSDK_PYTHON",
    "CLOUDSDK_API_ENDPOINT_OVERRIDES_", "CLOUDSDK_AUTH_", "CLOUDSDK_PROXY_", "GCE_METADATA_", "VAULT_",
    "BAO_", "DOCKER_", "STORE_PLUGIN_",
)  # fmt: skip
"""What their names begin with."""


def is_refused(name: str) -> bool:
    """Whether no profile may set it; as it is spelled, and in small letters."""
    return name.upper() in NAMES or name.upper().startswith(PREFIXES)
