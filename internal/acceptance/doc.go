// Package acceptance tests the program as it is run: the built binary, a real
// S3 server beside it, and kill -9.
package acceptance
