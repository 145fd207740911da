// Command go-client calls PodService.GetPod through kuberesolver, a resolver for grpc-go that watches EndpointSlices, and prints
// the time of the first answer of each pod as "<pod> <microseconds since 1970>".
//
// Usage: go-client TARGET, with the API server in API_SERVER, API_CA, API_CERT, API_KEY (PEM) and API_TOKEN.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/sercand/kuberesolver/v6"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
)

// api is an API server outside of the cluster.
type api struct {
	host, token string
	client      *http.Client
}

func (a *api) Do(request *http.Request) (*http.Response, error) { return a.client.Do(request) }
func (a *api) Host() string                                     { return a.host }
func (a *api) GetRequest(url string) (*http.Request, error) {
	if !strings.HasPrefix(url, a.host) {
		url = a.host + "/" + strings.TrimPrefix(url, "/")
	}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err == nil && a.token != "" {
		request.Header.Set("Authorization", "Bearer "+a.token)
	}
	return request, err
}

// bytesCodec passes messages as they are: the answer's bytes hold the pod's name.
type bytesCodec struct{}

func (bytesCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = append([]byte{}, data...); return nil }
func (bytesCodec) Name() string                       { return "proto" }

// field returns the first field of a message, which has a length.
func field(message []byte) []byte {
	if len(message) < 2 || int(message[1])+2 > len(message) {
		return nil
	}
	return message[2 : 2+int(message[1])]
}

func run(target string) error {
	config := &tls.Config{}
	if ca := os.Getenv("API_CA"); ca != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(ca))
	}
	if cert := os.Getenv("API_CERT"); cert != "" {
		pair, err := tls.X509KeyPair([]byte(cert), []byte(os.Getenv("API_KEY")))
		if err != nil {
			return err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	server := &api{os.Getenv("API_SERVER"), os.Getenv("API_TOKEN"), &http.Client{Transport: &http.Transport{TLSClientConfig: config}}}
	resolver.Register(kuberesolver.NewBuilder(server, "kubernetes"))
	conn, err := grpc.NewClient(target,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(bytesCodec{})))
	if err != nil {
		return err
	}
	defer conn.Close()
	var seen sync.Map
	for range time.Tick(time.Millisecond) {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			var request, response []byte
			if conn.Invoke(ctx, "/pod.v1.PodService/GetPod", &request, &response) != nil {
				return
			}
			pod := string(field(field(response)))
			if _, known := seen.LoadOrStore(pod, true); !known {
				fmt.Println(pod, time.Now().UnixMicro())
			}
		}()
	}
	return nil
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
