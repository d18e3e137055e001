// crossplane-client calls a secret store plugin with Crossplane's own client.
//
//	crossplane-client ENDPOINT HOST CERTS_DIR API_VERSION KIND NAME
//
// HOST is the name that the endpoint's certificate is checked against, as if the endpoint had
// been written with it: in a Pod a host alias gives the address, which a test has no right to.
// It answers each line of JSON on its standard input with one on its standard output:
//
//	{"op": "write", "scope": "team-a", "name": "db", "labels": {"team": "a"}, "data": {"key": "dmFsdWU="}}
//	{"changed": true}
//
// Operations are write, read and delete. Every one makes a store anew, and with it a
// connection that nobody closes: so does Crossplane.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc/status"

	v1 "github.com/crossplane/crossplane-runtime/apis/common/v1"
	"github.com/crossplane/crossplane-runtime/pkg/certificates"
	"github.com/crossplane/crossplane-runtime/pkg/connection/store"
	"github.com/crossplane/crossplane-runtime/pkg/connection/store/plugin"
)

// As long as Crossplane gives the reconciliation of a managed resource.
const timeout = time.Minute

type request struct {
	Op     string            `json:"op"`
	Scope  string            `json:"scope"`
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Data   store.KeyValues   `json:"data"`
}

type answer struct {
	Changed bool              `json:"changed"`
	Data    store.KeyValues   `json:"data"`
	Labels  map[string]string `json:"labels"`
	Error   string            `json:"error"`
	Code    string            `json:"code"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 6 {
		return errors.New("usage: crossplane-client ENDPOINT HOST CERTS_DIR API_VERSION KIND NAME")
	}
	certs := func(name string) string { return filepath.Join(args[2], name) }
	trust, err := certificates.LoadMTLSConfig(certs("ca.crt"), certs("tls.crt"), certs("tls.key"), false)
	if err != nil {
		return err
	}
	trust.ServerName = args[1]
	config := v1.SecretStoreConfig{
		DefaultScope: "crossplane-system",
		Plugin: &v1.PluginStoreConfig{
			Endpoint:  args[0],
			ConfigRef: v1.Config{APIVersion: args[3], Kind: args[4], Name: args[5]},
		},
	}
	requests, answers := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for requests.More() {
		var r request
		if err := requests.Decode(&r); err != nil {
			return err
		}
		if err := answers.Encode(answered(r, trust, config)); err != nil {
			return err
		}
	}
	return nil
}

func answered(r request, trust *tls.Config, config v1.SecretStoreConfig) answer {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	a, err := carryOut(ctx, r, trust, config)
	if err != nil {
		a.Error, a.Code = err.Error(), status.Code(errors.Unwrap(err)).String()
	}
	return a
}

func carryOut(ctx context.Context, r request, trust *tls.Config, config v1.SecretStoreConfig) (answer, error) {
	s, err := plugin.NewSecretStore(ctx, nil, trust, config)
	if err != nil {
		return answer{}, err
	}
	secret := &store.Secret{
		ScopedName: store.ScopedName{Scope: r.Scope, Name: r.Name},
		Metadata:   &v1.ConnectionSecretMetadata{Labels: r.Labels},
		Data:       r.Data,
	}
	switch r.Op {
	case "write":
		changed, err := s.WriteKeyValues(ctx, secret)
		return answer{Changed: changed}, err
	case "read":
		found := &store.Secret{}
		err := s.ReadKeyValues(ctx, secret.ScopedName, found)
		return answer{Data: found.Data, Labels: found.GetLabels()}, err
	case "delete":
		return answer{}, s.DeleteKeyValues(ctx, secret)
	default:
		return answer{}, fmt.Errorf("no such operation: %q", r.Op)
	}
}
