// A reverse proxy that stands in for kube-rbac-proxy, which no package registry carries.
//
// It takes the flags of kube-rbac-proxy that a hub needs, asks a real API server the same two
// questions, and is built from the same parts of Go's standard library, so that streams, headers and
// refusals look the same to both ends. It has none of its caches: an answer counts for one request.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

type flags struct {
	listen, certificate, key, upstream, kubeconfig, audiences, allowPaths string
	forceH2C, headers                                                     bool
	cutQuietAfter                                                         time.Duration
}

func main() {
	f := parse()
	upstream, err := url.Parse(f.upstream)
	exitOn(err)
	listener, err := net.Listen("tcp", f.listen)
	exitOn(err)
	if f.cutQuietAfter > 0 {
		listener = &cuttingListener{listener, f.cutQuietAfter}
	}
	cluster, err := readKubeconfig(f.kubeconfig)
	exitOn(err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.Transport = &http.Transport{Protocols: protocols(f.forceH2C)}
	guard := &guard{cluster, split(f.audiences), split(f.allowPaths), f.headers, proxy}
	server := &http.Server{Handler: guard}
	exitOn(server.ServeTLS(listener, f.certificate, f.key))
}

func parse() flags {
	var f flags
	flag.StringVar(&f.listen, "secure-listen-address", "", "")
	flag.StringVar(&f.certificate, "tls-cert-file", "", "")
	flag.StringVar(&f.key, "tls-private-key-file", "", "")
	flag.StringVar(&f.upstream, "upstream", "", "")
	flag.BoolVar(&f.forceH2C, "upstream-force-h2c", false, "")
	flag.StringVar(&f.audiences, "auth-token-audiences", "", "")
	flag.BoolVar(&f.headers, "auth-header-fields-enabled", false, "")
	flag.StringVar(&f.allowPaths, "allow-paths", "", "")
	flag.StringVar(&f.kubeconfig, "kubeconfig", "", "as JSON")
	flag.DurationVar(&f.cutQuietAfter, "cut-quiet-after", 0, "ours: end connections that are quiet for so long")
	flag.Parse()
	return f
}

func protocols(h2c bool) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!h2c)
	p.SetUnencryptedHTTP2(h2c)
	return p
}

// guard lets a request through to next, or answers it.
type guard struct {
	cluster    *cluster
	audiences  []string
	allowPaths []string
	headers    bool
	next       http.Handler
}

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.allowsPath(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	user, err := g.authenticate(r)
	if err != nil {
		log.Print(err)
	}
	if user == nil {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return
	}
	allowed, err := g.authorize(user, r)
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	if !allowed {
		http.Error(w, fmt.Sprintf("Forbidden (user=%s, verb=create)", user.Username), http.StatusForbidden)
		return
	}
	r.Header.Del("Authorization")
	if g.headers {
		r.Header.Set("x-remote-user", user.Username)
		r.Header.Set("x-remote-groups", strings.Join(user.Groups, "|"))
	}
	g.next.ServeHTTP(w, r)
}

func (g *guard) allowsPath(asked string) bool {
	for _, pattern := range g.allowPaths {
		if ok, _ := path.Match(pattern, asked); ok {
			return true
		}
	}
	return len(g.allowPaths) == 0
}

type userInfo struct {
	Username string   `json:"username"`
	Groups   []string `json:"groups"`
}

func (g *guard) authenticate(r *http.Request) (*userInfo, error) {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return nil, nil
	}
	var answer struct {
		Status struct {
			Authenticated bool
			Audiences     []string
			User          userInfo
		}
	}
	spec := map[string]any{"token": token, "audiences": g.audiences}
	if err := g.cluster.review("authentication.k8s.io", "TokenReview", spec, &answer); err != nil {
		return nil, err
	}
	if !answer.Status.Authenticated || len(answer.Status.Audiences) == 0 {
		return nil, nil
	}
	return &answer.Status.User, nil
}

func (g *guard) authorize(user *userInfo, r *http.Request) (bool, error) {
	verbs := map[string]string{"POST": "create", "GET": "get", "PUT": "update", "DELETE": "delete"}
	verb, known := verbs[r.Method]
	if !known {
		verb = "*"
	}
	var answer struct{ Status struct{ Allowed bool } }
	spec := map[string]any{
		"user": user.Username, "groups": user.Groups,
		"nonResourceAttributes": map[string]string{"path": r.URL.Path, "verb": verb},
	}
	err := g.cluster.review("authorization.k8s.io", "SubjectAccessReview", spec, &answer)
	return answer.Status.Allowed, err
}

// cluster is the API server that is asked, and as whom.
type cluster struct {
	server, token string
	client        *http.Client
}

func (c *cluster) review(group, kind string, spec, answer any) error {
	body, err := json.Marshal(map[string]any{"apiVersion": group + "/v1", "kind": kind, "spec": spec})
	if err != nil {
		return err
	}
	address := fmt.Sprintf("%s/apis/%s/v1/%ss", c.server, group, strings.ToLower(kind))
	request, err := http.NewRequest("POST", address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+c.token)
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", kind, response.Status)
	}
	return json.Unmarshal(text, answer)
}

func readKubeconfig(file string) (*cluster, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
				CA     string `json:"certificate-authority-data"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Token string `json:"token"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, err
	}
	ca, err := base64.StdEncoding.DecodeString(config.Clusters[0].Cluster.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	return &cluster{config.Clusters[0].Cluster.Server, config.Users[0].User.Token, client}, nil
}

// cuttingListener ends connections that send nothing for a while, as load balancers do.
type cuttingListener struct {
	net.Listener
	after time.Duration
}

func (l *cuttingListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &cutConnection{connection, l.after}, nil
}

type cutConnection struct {
	net.Conn
	after time.Duration
}

func (c *cutConnection) Read(into []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.after)); err != nil {
		return 0, err
	}
	return c.Conn.Read(into)
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

func exitOn(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
