// Command forward passes DNS queries from one address to another, by UDP and TCP.
//
// BIND listens only on addresses that an interface has. All of 127.0.0.0/8 is local on Linux, yet only 127.0.0.1 is
// configured, and adding addresses takes rights that a container's root has not. Anybody else can listen there:
// this does, so that every name server of a test has an address of its own at the port where the world expects it.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

const patience = 10 * time.Second

func main() {
	if len(os.Args) != 3 {
		fail("usage: forward LISTEN:PORT TARGET:PORT")
	}
	listen, target := os.Args[1], os.Args[2]
	datagrams, err := net.ListenPacket("udp", listen)
	if err != nil {
		fail(err)
	}
	streams, err := net.Listen("tcp", listen)
	if err != nil {
		fail(err)
	}
	go passDatagrams(datagrams, target)
	for {
		client, err := streams.Accept()
		if err != nil {
			fail(err)
		}
		go passStream(client, target)
	}
}

// passDatagrams sends each query on from a socket of its own, so that answers find their way back by themselves.
func passDatagrams(datagrams net.PacketConn, target string) {
	buffer := make([]byte, 65535)
	for {
		length, client, err := datagrams.ReadFrom(buffer)
		if err != nil {
			continue
		}
		query := append([]byte(nil), buffer[:length]...)
		go func() {
			if answer := ask(query, target); answer != nil {
				_, _ = datagrams.WriteTo(answer, client)
			}
		}()
	}
}

func ask(query []byte, target string) []byte {
	server, err := net.Dial("udp", target)
	if err != nil {
		return nil
	}
	defer server.Close()
	if _, err := server.Write(query); err != nil {
		return nil
	}
	_ = server.SetReadDeadline(time.Now().Add(patience))
	answer := make([]byte, 65535)
	length, err := server.Read(answer)
	if err != nil {
		return nil
	}
	return answer[:length]
}

func passStream(client net.Conn, target string) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", target, patience)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, server)
}

func fail(reason any) {
	fmt.Fprintln(os.Stderr, "forward:", reason)
	os.Exit(1)
}
