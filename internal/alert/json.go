package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// JSON returns the alert as it is published, on one line without a line break.
// Lists are never null, the group of a correlation is never absent, and '<',
// '>' and '&' stand as they are, so that records read as CloudTrail wrote
// them. It fails only if a record was put into the alert, other than by
// AddRecord, that is not valid JSON.
func (a Alert) JSON() ([]byte, error) {
	if a.Group == nil && a.Kind == KindCorrelation {
		a.Group = map[string]string{}
	}
	if a.EventIDs == nil {
		a.EventIDs = []string{}
	}
	if a.Records == nil {
		a.Records = []json.RawMessage{}
	}
	if a.Objects == nil {
		a.Objects = []Object{}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return nil, fmt.Errorf("alert %s: %w", a.ID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Parse reads an alert from its JSON. Fields that this version does not know
// are ignored: fields are added over time.
func Parse(data []byte) (Alert, error) {
	var a Alert
	if err := json.Unmarshal(data, &a); err != nil {
		return Alert{}, fmt.Errorf("not an alert: %w", err)
	}
	if a.ID == "" || a.Revision < 1 {
		return Alert{}, fmt.Errorf("not an alert: id %q, revision %d", a.ID, a.Revision)
	}
	return a, nil
}
