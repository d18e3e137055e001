package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const (
	streamPath = "/pluginframework.v1.PluginFrameworkService/PluginStream"
	specSchema = `{"type": "object", "properties": {"place": {"type": "string"}}}`
)

// serve dials the hub, registers, and answers calls until the stream ends.
func serve(ctx context.Context, endpoint string) error {
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	opened, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, streamPath)
	if err != nil {
		return err
	}
	stream := &stream{ClientStream: opened}
	if err := stream.send(&PluginStreamMessage{Payload: &PluginStreamMessage_Register{Register: registration()}}); err != nil {
		return err
	}
	return stream.follow(newStore())
}

func registration() *PluginRegister {
	return &PluginRegister{
		Name:             name,
		Version:          version,
		Features:         []string{"concurrent-calls", "status", "heartbeat"},
		Kinds:            []*PluginKind{{ApiVersion: apiVersion, Kind: kind, SpecSchema: []byte(specSchema)}},
		Services:         []string{service},
		ProtocolVersions: []uint32{1},
	}
}

// stream is one that several calls may answer over.
type stream struct {
	grpc.ClientStream
	sending sync.Mutex
}

func (s *stream) send(message *PluginStreamMessage) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.SendMsg(message)
}

func (s *stream) follow(store *store) error {
	for {
		message := &PluginStreamMessage{}
		if err := s.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch frame := message.GetPayload().(type) {
		case *PluginStreamMessage_RpcCall:
			go s.answer(store, frame.RpcCall)
		case *PluginStreamMessage_Ping:
			pong := &PluginPong{Sequence: frame.Ping.GetSequence()}
			if err := s.send(&PluginStreamMessage{Payload: &PluginStreamMessage_Pong{Pong: pong}}); err != nil {
				return err
			}
		case *PluginStreamMessage_Error:
			if frame.Error.GetRequestId() == "" {
				fmt.Println("the hub ends the stream:", frame.Error.GetCode(), frame.Error.GetMessage())
				return s.CloseSend()
			}
		}
	}
}

func (s *stream) answer(store *store, call *PluginRPCCall) {
	response := &PluginRPCResponse{RequestId: call.GetRequestId()}
	if found, err := store.call(path.Base(call.GetMethod()), call.GetPayload()); err != nil {
		response.Status = status.Convert(err).Proto()
	} else if response.Payload, err = proto.Marshal(found); err != nil {
		response.Status = status.New(codes.Internal, "the answer cannot be written").Proto()
	}
	// A stream that has ended is noticed where it is read.
	_ = s.send(&PluginStreamMessage{Payload: &PluginStreamMessage_RpcResponse{RpcResponse: response}})
}
