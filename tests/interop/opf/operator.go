package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// operator calls the plugin that is connected, one line of JSON on standard input for each call:
//
//	{"method": "RenewToken", "token": "old", "milliseconds": 5000}
//	{"token": "renewed old"}
//
// It says {"registered": "name"} whenever a plugin comes.
type operator struct {
	mu      sync.Mutex
	stream  grpc.ServerStream
	pending map[string]chan []byte
	out     *json.Encoder
}

type request struct {
	Method       string `json:"method"`
	Token        string `json:"token"`
	Milliseconds int    `json:"milliseconds"`
}

type answered struct {
	Registered string `json:"registered,omitempty"`
	Token      string `json:"token,omitempty"`
	Error      string `json:"error,omitempty"`
}

func serveOperator(endpoint string) error {
	listener, err := net.Listen("unix", strings.TrimPrefix(endpoint, "unix://"))
	if err != nil {
		return err
	}
	o := &operator{pending: map[string]chan []byte{}, out: json.NewEncoder(os.Stdout)}
	server := grpc.NewServer()
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "pluginframework.v1.PluginFrameworkService",
		Streams: []grpc.StreamDesc{{
			StreamName: "PluginStream", ServerStreams: true, ClientStreams: true,
			Handler: func(_ any, stream grpc.ServerStream) error { return o.pluginStream(stream) },
		}},
	}, nil)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	requests := json.NewDecoder(bufio.NewReader(os.Stdin))
	for requests.More() {
		var r request
		if err := requests.Decode(&r); err != nil {
			return err
		}
		token, err := o.call(r)
		if err != nil {
			o.say(answered{Error: err.Error()})
		} else {
			o.say(answered{Token: token})
		}
	}
	return nil
}

func (o *operator) pluginStream(stream grpc.ServerStream) error {
	message := &PluginStreamMessage{}
	if err := stream.RecvMsg(message); err != nil {
		return err
	}
	if message.GetRegister() == nil {
		return status.Error(codes.InvalidArgument, "first message must be PluginRegister")
	}
	o.mu.Lock()
	o.stream = stream
	o.mu.Unlock()
	o.say(answered{Registered: message.GetRegister().GetName()})
	for {
		message := &PluginStreamMessage{}
		if err := stream.RecvMsg(message); err != nil {
			return err
		}
		// An error without an id, as this side knows it, finds nobody: its caller waits on.
		if reply := message.GetRpcResponse(); reply != nil {
			o.mu.Lock()
			waiting, found := o.pending[reply.GetRequestId()]
			o.mu.Unlock()
			if !found { // one late reply ends the stream
				return fmt.Errorf("no pending call for request ID %s", reply.GetRequestId())
			}
			waiting <- reply.GetPayload()
		}
	}
}

func (o *operator) call(r request) (string, error) {
	payload, err := proto.Marshal(&RenewTokenRequest{Token: r.Token})
	if err != nil {
		return "", err
	}
	id, waiting := strconv.FormatInt(time.Now().UnixNano(), 10), make(chan []byte, 1)
	o.mu.Lock()
	o.pending[id] = waiting
	stream := o.stream
	o.mu.Unlock()
	defer func() {
		o.mu.Lock()
		delete(o.pending, id)
		o.mu.Unlock()
	}()
	call := &PluginRPCCall{RequestId: id, Method: r.Method, Payload: payload}
	if stream == nil {
		return "", errors.New("plugin not found")
	}
	if err := stream.SendMsg(&PluginStreamMessage{Payload: &PluginStreamMessage_RpcCall{RpcCall: call}}); err != nil {
		return "", err
	}
	select {
	case reply := <-waiting:
		response := &RenewTokenResponse{}
		err := proto.Unmarshal(reply, response)
		return response.GetToken(), err
	case <-time.After(time.Duration(r.Milliseconds) * time.Millisecond):
		return "", errors.New("context deadline exceeded")
	}
}

func (o *operator) say(a answered) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.out.Encode(a)
}
