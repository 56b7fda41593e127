// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause

// httpserver says hello over HTTP on loopback, and has the pages of net/http/pprof; its first line has the address.
package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"ready": true, "pid": os.Getpid(), "go": runtime.Version(), "address": listener.Addr().String(),
	})
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("hello\n")) })
	http.Serve(listener, nil)
}
