// Package acceptance tests the program as it is run: the built binary, a real
// S3 server and a real NATS server beside it, kill -9 and kill -STOP, and hours
// of load.
package acceptance
