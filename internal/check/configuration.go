package check

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/trailbell/trailbell/internal/app"
)

func configuration(in Input) Section {
	s := Section{Title: "Configuration"}
	from := in.File
	if from == "" {
		from = "none: defaults, environment and flags"
	}
	if in.Err != nil {
		s.Items = each("file", Failed, in.Err)
		return s
	}
	s.Items = append(s.Items, Item{OK, "file", from})
	for _, b := range in.Config.Lister.Buckets {
		since := in.Config.Lister.Watch(b, in.Now).Start(in.Now)
		s.Items = append(s.Items, Item{OK, "watch", fmt.Sprintf("s3://%s/%s from %s, every %s",
			b.Name, b.Prefix, since.Format("2006-01-02"), in.Config.Lister.Interval)})
	}
	for _, sink := range in.Config.Forwarder.Sinks {
		s.Items = append(s.Items, alertsTo(sink))
	}
	if len(in.Config.Forwarder.Sinks) == 0 {
		s.Items = append(s.Items, Item{Odd, "alerts", "no sinks: alerts are on their NATS subjects only; see forwarder.sinks"})
	}
	s.Items = append(s.Items, metrics(in.Config))
	return s
}

// alertsTo says where a sink writes and whether it can.
func alertsTo(s app.Sink) Item {
	if s.Type != "file" {
		return Item{OK, "alerts", fmt.Sprintf("%s: to %s", s.Name, s.Type)}
	}
	const write = 2 // access(2)
	err := syscall.Access(s.Path, write)
	if errors.Is(err, os.ErrNotExist) {
		err = syscall.Access(filepath.Dir(s.Path), write)
	}
	if err != nil {
		return Item{Failed, "alerts", fmt.Sprintf("%s: cannot write %s: %v; make its directory, or change its permissions", s.Name, s.Path, err)}
	}
	return Item{OK, "alerts", fmt.Sprintf("%s: to file %s", s.Name, s.Path)}
}

// metrics says whether the address of the metrics can be had.
func metrics(c app.Config) Item {
	if c.HTTP == "" {
		return Item{OK, "metrics", "none, as --http is empty"}
	}
	l, err := net.Listen("tcp", c.HTTP)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return Item{Odd, "metrics", c.HTTP + " is in use: by a trailbell that runs already, else choose another address with --http"}
	case err != nil:
		return Item{Failed, "metrics", fmt.Sprintf("%v; choose another address with --http, or none with --http \"\"", err)}
	}
	_ = l.Close()
	return Item{OK, "metrics", "http://" + l.Addr().String() + "/metrics is free"}
}
