package main

import (
	"encoding/json"
	"strconv"
	"sync"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// store keeps the secrets of all configs: by place and scoped name.
type store struct {
	lock    sync.Mutex
	secrets map[string]*StoredSecret
	written uint64
}

func newStore() *store {
	return &store{secrets: map[string]*StoredSecret{}}
}

func (s *store) call(method string, payload []byte) (proto.Message, error) {
	switch method {
	case "Describe":
		return with(payload, &DescribeRequest{}, s.describe)
	case "Read":
		return with(payload, &ReadRequest{}, s.read)
	case "Write":
		return with(payload, &WriteRequest{}, s.write)
	case "Delete":
		return with(payload, &DeleteRequest{}, s.remove)
	case "Check":
		return with(payload, &CheckRequest{}, func(*CheckRequest) (proto.Message, error) { return &CheckResponse{}, nil })
	}
	return nil, status.Errorf(codes.Unimplemented, "no method %s", method)
}

func with[T proto.Message](payload []byte, request T, method func(T) (proto.Message, error)) (proto.Message, error) {
	if err := proto.Unmarshal(payload, request); err != nil {
		return nil, status.Error(codes.InvalidArgument, "the request cannot be read")
	}
	return method(request)
}

func (s *store) describe(request *DescribeRequest) (proto.Message, error) {
	return &DescribeResponse{
		Capabilities: &Capabilities{CompareAndSet: true, ConditionalDelete: true, Metadata: true},
		Location:     "memory:" + place(request.GetConfig()),
	}, nil
}

func (s *store) read(request *ReadRequest) (proto.Message, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	found := s.found(key(request.GetConfig(), request.GetScopedName()))
	if wanted := request.GetVersion(); wanted != "" && wanted != found.GetVersion() {
		return nil, refusal(codes.NotFound, "VERSION_NOT_FOUND", "there is no version "+wanted+" any more")
	}
	return &ReadResponse{Stored: found}, nil
}

func (s *store) write(request *WriteRequest) (proto.Message, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	key := key(request.GetConfig(), request.GetScopedName())
	if err := s.unchanged(key, request.GetBase()); err != nil {
		return nil, err
	}
	s.written++
	version := strconv.FormatUint(s.written, 10)
	s.secrets[key] = &StoredSecret{Presence: Presence_PRESENT, Secret: request.GetSecret(), Version: version}
	return &WriteResponse{Version: version}, nil
}

func (s *store) remove(request *DeleteRequest) (proto.Message, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	key := key(request.GetConfig(), request.GetScopedName())
	if err := s.unchanged(key, request.GetBase()); err != nil {
		return nil, err
	}
	delete(s.secrets, key)
	return &DeleteResponse{}, nil
}

func (s *store) unchanged(key string, base *StoredSecret) error {
	if s.found(key).GetVersion() != base.GetVersion() {
		return refusal(codes.Aborted, "CONFLICT", "the secret has changed since it was read")
	}
	return nil
}

func (s *store) found(key string) *StoredSecret {
	if there, ok := s.secrets[key]; ok {
		return there
	}
	return &StoredSecret{Presence: Presence_ABSENT}
}

func key(config *StoreConfig, name string) string {
	return place(config) + "/" + name
}

func place(config *StoreConfig) string {
	spec := struct {
		Place string `json:"place"`
	}{}
	// The hub has held the spec against the schema.
	_ = json.Unmarshal(config.GetSpec(), &spec)
	return spec.Place
}

func refusal(code codes.Code, reason, message string) error {
	detailed, err := status.New(code, message).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: "secrets.crossplane.io"})
	if err != nil {
		return status.Error(codes.Internal, "the refusal cannot be written")
	}
	return detailed.Err()
}
