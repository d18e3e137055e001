"""Clusters of a fleet, reached as their ClusterProfiles say, with credentials from exec plugins.

    from store_plugin.access import AccessConfig

    with AccessConfig.from_file(Path("providers.yaml")) as access:
        api = kubernetes.client.ApiClient(access.build_config(profile))

docs/cluster-access.md begins from nothing. Names are imported when they are used: a credential
plugin, which imports from here too, starts without the libraries of a consumer.
"""
