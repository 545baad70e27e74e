package rulebook

import (
	"encoding/json"
	"io"
)

// encode writes values as JSON, one a line.
func encode[T any](w io.Writer, values []T) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, v := range values {
		if err := e.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
