// Command go-endpoints registers and lists endpoints with etcd's own Go client, for the test of interoperability.
//
//	go-endpoints <etcd> <service> add <address> <metadata in JSON>   registers, says "added", and deletes it when stdin ends
//	go-endpoints <etcd> <service> list                               prints the endpoints as JSON, by their keys
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		log.Fatal(err)
	}
}

func run(server, service, verb string, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{server}, DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	defer client.Close()
	manager, err := endpoints.NewManager(client, service)
	if err != nil {
		return err
	}
	if verb == "list" {
		all, err := manager.List(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	address := args[0]
	var metadata any
	if err := json.Unmarshal([]byte(args[1]), &metadata); err != nil {
		return err
	}
	lease, err := client.Grant(ctx, 10)
	if err != nil {
		return err
	}
	key := service + "/" + address
	endpoint := endpoints.Endpoint{Addr: address, Metadata: metadata}
	if err := manager.AddEndpoint(ctx, key, endpoint, clientv3.WithLease(lease.ID)); err != nil {
		return err
	}
	fmt.Println("added")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return manager.DeleteEndpoint(ctx, key)
}
