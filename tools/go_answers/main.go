// go_answers prints what Kubernetes' own libraries say of quantities, label selectors and field selectors.
//
// One case a line on stdin, as JSON: ["quantity", "0.5Gi"]. One answer a line on stdout, [kind, text, answer]:
//
//	quantity  [canonical, canonical in a list of resources, value, milli] or null (no quantity)
//	labels    which of six sets of labels match, or the error
//	fields    [[field, operator, value], …], or the error
//
// tests/golden/objects/answers.jsonl was made by it:  go run . < cases > answers.jsonl
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

var sets = []labels.Set{{}, {"a": ""}, {"a": "b"}, {"a": "5"}, {"a": "b", "x/y": "c"}, {"in": "a"}}

func quantity(text string) any {
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return nil
	}
	rounded := q.DeepCopy()
	rounded.RoundUp(resource.Milli)
	return []any{q.String(), rounded.String(), q.Value(), q.MilliValue()}
}

func labelSelector(text string) any {
	selector, err := labels.Parse(text)
	if err != nil {
		return err.Error()
	}
	matching := []bool{}
	for _, set := range sets {
		matching = append(matching, selector.Matches(set))
	}
	return matching
}

func fieldSelector(text string) any {
	selector, err := fields.ParseSelector(text)
	if err != nil {
		return err.Error()
	}
	found := [][]string{}
	for _, r := range selector.Requirements() {
		operator := string(r.Operator)
		if operator == "==" {
			operator = "="
		}
		found = append(found, []string{r.Field, operator, r.Value})
	}
	return found
}

func main() {
	answers := map[string]func(string) any{"quantity": quantity, "labels": labelSelector, "fields": fieldSelector}
	in, out := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for in.Scan() {
		var c [2]string
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			panic(err)
		}
		if err := out.Encode([]any{c[0], c[1], answers[c[0]](c[1])}); err != nil {
			panic(err)
		}
	}
}
