package s3_test

import (
	"context"
	"fmt"
	"os"

	"github.com/trailbell/trailbell/internal/s3"
)

func ExampleKindOf() {
	_, err := s3.Open(context.Background(), s3.Bucket{Name: "my-trail", Endpoint: "localhost:7070"})
	fmt.Println(err)
	fmt.Println(s3.KindOf(err), s3.KindOf(os.ErrClosed))
	// Output:
	// bucket "my-trail": endpoint "localhost:7070" is not a URL; write it as http://HOST:PORT or https://HOST
	// invalid unknown
}
