// memory-backend is a plugin with a kind of its own, written in Go against the documents of this
// project and with nothing of its code but what protoc makes of the .proto files. Its secrets are in
// memory. It finds the hub as docs/plugins.md says.
//
//	memory-backend [--describe]
//
// The generated code beside it is made by:
//
//go:generate go build -mod=mod -o protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
//go:generate ../../../.venv/bin/python -m grpc_tools.protoc --plugin=protoc-gen-go=./protoc-gen-go -I ../../../proto/store_plugin/_proto -I ../../../.venv/lib/python3.11/site-packages --go_out=. --go_opt=paths=source_relative --go_opt=Mplugin_stream.proto=store-plugin/backend;main --go_opt=Mbackend.proto=store-plugin/backend;main plugin_stream.proto backend.proto
//go:generate rm protoc-gen-go
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const (
	name       = "memory"
	version    = "1.0"
	apiVersion = "memory.example.org/v1"
	kind       = "MemoryConfig"
	service    = "storeplugin.backend.v1.SecretBackend"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "--describe" {
		fmt.Printf(`{"name": %q, "version": %q, "kinds": [{"apiVersion": %q, "kind": %q}], "services": [%q]}`+"\n",
			name, version, apiVersion, kind, service)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, os.Getenv("STORE_PLUGIN_HUB_ENDPOINT")); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
