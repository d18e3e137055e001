package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type handler func(payload []byte) (proto.Message, error)

// One service, found by the last element of the method, unary methods only.
var methods = map[string]handler{"RenewToken": renewToken, "GetTokenValidity": getTokenValidity}

func renewToken(payload []byte) (proto.Message, error) {
	request := &RenewTokenRequest{}
	if err := proto.Unmarshal(payload, request); err != nil {
		return nil, err
	}
	switch request.GetToken() {
	case "refused":
		return nil, errors.New("the service refuses this token")
	case "slow":
		time.Sleep(500 * time.Millisecond)
	}
	return &RenewTokenResponse{Token: "renewed " + request.GetToken(), NewMetadata: request.GetMetadata()}, nil
}

func getTokenValidity([]byte) (proto.Message, error) {
	return &GetTokenValidityResponse{Expiration: timestamppb.New(time.Unix(1_900_000_000, 0))}, nil
}

// servePlugin ends with its stream: the framework's client does not dial again.
func servePlugin(ctx context.Context, endpoint, name string) error {
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, streamPath)
	if err != nil {
		return err
	}
	register := &PluginRegister{Name: name, Version: "v0.1.0"}
	if err := stream.SendMsg(&PluginStreamMessage{Payload: &PluginStreamMessage_Register{Register: register}}); err != nil {
		return err
	}
	for {
		message := &PluginStreamMessage{}
		if err := stream.RecvMsg(message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if call := message.GetRpcCall(); call != nil {
			if err := stream.SendMsg(answer(call)); err != nil {
				return err
			}
		}
	}
}

// An error does not say which call it belongs to.
func answer(call *PluginRPCCall) *PluginStreamMessage {
	handle, found := methods[path.Base(call.GetMethod())]
	if !found {
		return failure("Unimplemented", fmt.Sprintf("unknown method %s", call.GetMethod()))
	}
	response, err := handle(call.GetPayload())
	if err != nil {
		return failure("RPC_ERROR", err.Error())
	}
	payload, err := proto.Marshal(response)
	if err != nil {
		return failure("MARSHAL_ERROR", err.Error())
	}
	reply := &PluginRPCResponse{RequestId: call.GetRequestId(), Payload: payload}
	return &PluginStreamMessage{Payload: &PluginStreamMessage_RpcResponse{RpcResponse: reply}}
}

func failure(code, message string) *PluginStreamMessage {
	return &PluginStreamMessage{Payload: &PluginStreamMessage_Error{Error: &PluginError{Code: code, Message: message}}}
}
