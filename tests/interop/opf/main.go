// opf-peer speaks to the hub, or to our SDK, as programs of operator-plugin-framework do: their
// frames, their ids, their habits. It is written after the framework's documented behaviour.
//
//	opf-peer plugin ENDPOINT NAME
//	opf-peer operator ENDPOINT
//
// The generated code beside it is made by:
//
//go:generate go build -mod=mod -o protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go
//go:generate ../../../.venv/bin/python -m grpc_tools.protoc --plugin=protoc-gen-go=./protoc-gen-go -I . --go_out=. --go_opt=paths=source_relative --go_opt=Mstream.proto=store-plugin/opf;main stream.proto
//go:generate ../../../.venv/bin/python -m grpc_tools.protoc --plugin=protoc-gen-go=./protoc-gen-go -I ../../../examples/token-renewer --go_out=. --go_opt=paths=source_relative --go_opt=Mtoken_provider.proto=store-plugin/opf;main token_provider.proto
//go:generate rm protoc-gen-go
package main

import (
	"context"
	"fmt"
	"os"
)

const streamPath = "/pluginframework.v1.PluginFrameworkService/PluginStream"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 3 && args[0] == "plugin":
		return servePlugin(context.Background(), args[1], args[2])
	case len(args) == 2 && args[0] == "operator":
		return serveOperator(args[1])
	default:
		return fmt.Errorf("usage: opf-peer plugin ENDPOINT NAME | opf-peer operator ENDPOINT")
	}
}
