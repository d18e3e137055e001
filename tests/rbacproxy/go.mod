module store-plugin/tests/rbacproxy

go 1.24
