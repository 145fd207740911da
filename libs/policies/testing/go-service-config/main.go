// Command go-service-config reads service configs in JSON from stdin, one per line, and prints for each whether grpc-go accepts it:
// `ok`, or grpc-go's error in one line.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"

	"google.golang.org/grpc"
	_ "google.golang.org/grpc/balancer/leastrequest"
	_ "google.golang.org/grpc/balancer/randomsubsetting"
	_ "google.golang.org/grpc/balancer/ringhash"
	_ "google.golang.org/grpc/balancer/weightedroundrobin"
	"google.golang.org/grpc/credentials/insecure"
	_ "google.golang.org/grpc/xds" // registers outlier_detection_experimental
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		conn, err := grpc.NewClient("passthrough:///unused",
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultServiceConfig(lines.Text()))
		if err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
			continue
		}
		conn.Close()
		fmt.Println("ok")
	}
}
