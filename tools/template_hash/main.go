// template_hash: what Go's printing of a pod template needs (`go run . types`), and the hashes of templates
// that it reads as a JSON list (`go run . hashes < templates.json`), for the tests.
//
// Controllers of Kubernetes name a template after a hash of a dump of its Go structs, so the names, types and order of
// their fields decide. The table has just these; no code of the modules ends up in it.
//
//	go run . types | gzip -9n > ../../cluster/objects/data/template.json.gz
package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"reflect"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/dump"
	"k8s.io/apimachinery/pkg/util/rand"
)

// leaf: types that the printer treats by name, or that a template never fills.
var leaf = map[string]bool{"v1.Time": true, "resource.Quantity": true, "intstr.IntOrString": true, "v1.FieldsV1": true}

type table struct {
	Structs map[string][][3]string `json:"structs"` // Go type -> [Go name, JSON name ("" = inlined), Go type]
	Named   map[string]string      `json:"named"`   // Go type -> what it is made of: string, map[…]…
}

func key(t reflect.Type) string {
	if t.Name() != "" && t.PkgPath() != "" {
		if strings.HasSuffix(t.PkgPath(), "meta/v1") {
			return "meta." + t.Name() // core and meta are both called v1; `shown` says what is printed.
		}
	}
	return t.String()
}

func spelled(t reflect.Type) string {
	switch {
	case t.Name() != "":
		return key(t)
	case t.Kind() == reflect.Pointer:
		return "*" + spelled(t.Elem())
	case t.Kind() == reflect.Slice:
		return "[]" + spelled(t.Elem())
	case t.Kind() == reflect.Map:
		return "map[" + spelled(t.Key()) + "]" + spelled(t.Elem())
	}
	return t.String()
}

func (t *table) walk(of reflect.Type) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		if of.Name() != "" {
			t.Named[key(of)] = fmt.Sprint("map[", spelled(of.Key()), "]", spelled(of.Elem()))
		}
		t.walk(of.Elem())
	case reflect.Struct:
		name := key(of)
		if _, known := t.Structs[name]; known || leaf[of.String()] {
			return
		}
		fields := [][3]string{}
		t.Structs[name] = fields
		for i := 0; i < of.NumField(); i++ {
			field := of.Field(i)
			tag := strings.Split(field.Tag.Get("json"), ",")[0]
			fields = append(fields, [3]string{field.Name, tag, spelled(field.Type)})
			t.walk(field.Type)
		}
		t.Structs[name] = fields
	default:
		if of.PkgPath() != "" {
			t.Named[key(of)] = of.Kind().String()
		}
	}
}

func types() any {
	t := &table{map[string][][3]string{}, map[string]string{}}
	t.walk(reflect.TypeOf(core.PodTemplateSpec{}))
	return t
}

func hashes() any {
	var templates []json.RawMessage
	check(json.NewDecoder(os.Stdin).Decode(&templates))
	found := []string{}
	for _, raw := range templates {
		var template core.PodTemplateSpec
		check(json.Unmarshal(raw, &template))
		sent := apps.Deployment{}
		sent.Spec.Template = template
		wire, err := sent.Marshal() // As a controller gets it: over protobuf.
		check(err)
		var got apps.Deployment
		check(got.Unmarshal(wire))
		text := dump.ForHash(got.Spec.Template)
		hasher := fnv.New32a()
		fmt.Fprintf(hasher, "%v", text)
		if len(os.Args) > 2 {
			fmt.Fprintln(os.Stderr, text)
		}
		found = append(found, rand.SafeEncodeString(fmt.Sprint(hasher.Sum32())))
	}
	return found
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	answer := types
	if len(os.Args) > 1 && os.Args[1] == "hashes" {
		answer = hashes
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(answer()))
}
