// A client of grpc-go's with a service config: the judge of our retries.
//
//	grpc_go_retry ADDRESS CONFIG DEADLINE_MS CALL SCRIPT...
//
// Makes a call for each SCRIPT, one after the other on one channel, as "CALL-0", "CALL-1" and so on; what a script is,
// scripted_server.cc says. Prints each call's status code.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	address, config, call, scripts := os.Args[1], os.Args[2], os.Args[4], os.Args[5:]
	deadline, err := strconv.Atoi(os.Args[3])
	check(err)
	channel, err := grpc.Dial(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(config))
	check(err)
	for i, script := range scripts {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(deadline)*time.Millisecond)
		ctx = metadata.AppendToOutgoingContext(ctx, "x-call", fmt.Sprintf("%s-%d", call, i), "x-script", script)
		err := channel.Invoke(ctx, "/judge.Scripted/Call", &emptypb.Empty{}, &emptypb.Empty{})
		cancel()
		fmt.Println(int(status.Code(err)))
	}
	check(channel.Close())
}
