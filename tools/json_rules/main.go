// json_rules prints, as JSON, how Go writes the API's types: the order of fields, and what becomes of empty ones.
//
// OpenAPI can't say it: `replicas: 0` is a choice (a pointer, kept), `minReadySeconds: 0` means "not said" (left out),
// and a condition without lastProbeTime is written with null. Struct tags say it, and reflection reads them. No
// comments or code of the modules end up in the table.
//
//	go run . | gzip -9n > ../../cluster/apiserver/schema/json-rules.json.gz
//
// Output: {type: [[field, rule], …]} in Go's order, under the names that OpenAPI uses. Rules:
//
//	""       kept as it is, absent if absent      "omit"  left out when empty (0, "", false, [], {})
//	"struct" always there, as {} at least         "null"  always there, as null if absent
//	"blank"  always there, as "" if absent        "zero", "false", "amount": the same, as 0, false and "0"
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	certificates "k8s.io/api/certificates/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	flowcontrol "k8s.io/api/flowcontrol/v1"
	networking "k8s.io/api/networking/v1"
	node "k8s.io/api/node/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	resourceapi "k8s.io/api/resource/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	migration "k8s.io/api/storagemigration/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// Types that write themselves: their struct fields are nobody's business.
var opaque = map[reflect.Type]bool{
	reflect.TypeOf(meta.Time{}):            true,
	reflect.TypeOf(meta.MicroTime{}):       true,
	reflect.TypeOf(meta.Duration{}):        true,
	reflect.TypeOf(resource.Quantity{}):    true,
	reflect.TypeOf(intstr.IntOrString{}):   true,
	reflect.TypeOf(meta.FieldsV1{}):        true,
	reflect.TypeOf(runtime.RawExtension{}): true,
}

var isTime = map[reflect.Type]bool{reflect.TypeOf(meta.Time{}): true, reflect.TypeOf(meta.MicroTime{}): true}

type rules map[string][][2]string

func nameOf(t reflect.Type) string {
	return "io." + strings.ReplaceAll(strings.Replace(t.PkgPath(), "k8s.io", "k8s", 1), "/", ".") + "." + t.Name()
}

func (r rules) add(t reflect.Type) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || opaque[t] {
		return
	}
	if _, done := r[nameOf(t)]; done {
		return
	}
	r[nameOf(t)] = nil
	r[nameOf(t)] = r.fields(t)
}

func (r rules) fields(t reflect.Type) [][2]string {
	found := [][2]string{}
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		parts := strings.Split(f.Tag.Get("json"), ",")
		if parts[0] == "-" || !f.IsExported() {
			continue
		}
		if parts[0] == "" { // An inlined struct: its fields are its parent's.
			found = append(found, r.fields(f.Type)...)
			continue
		}
		r.add(f.Type)
		found = append(found, [2]string{parts[0], rule(f.Type, strings.Join(parts[1:], ","))})
	}
	return found
}

func rule(t reflect.Type, options string) string {
	omitEmpty := strings.Contains(options, "omitempty")
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		if omitEmpty {
			return ""
		}
		return "null"
	case reflect.Slice, reflect.Map:
		if omitEmpty {
			return "omit"
		}
		return "null"
	case reflect.Struct:
		switch {
		case strings.Contains(options, "omitzero"):
			return ""
		case isTime[t]:
			return "null"
		case t == reflect.TypeOf(resource.Quantity{}):
			return "amount"
		case t == reflect.TypeOf(intstr.IntOrString{}):
			return "zero"
		case opaque[t]:
			return ""
		}
		return "struct"
	}
	if omitEmpty {
		return "omit"
	}
	switch t.Kind() {
	case reflect.String:
		return "blank"
	case reflect.Bool:
		return "false"
	}
	return "zero"
}

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistration.AddToScheme, apps.AddToScheme, authentication.AddToScheme, authorization.AddToScheme,
		autoscaling.AddToScheme, autoscalingv2.AddToScheme, batch.AddToScheme, certificates.AddToScheme,
		coordination.AddToScheme, core.AddToScheme, discovery.AddToScheme, events.AddToScheme, flowcontrol.AddToScheme,
		networking.AddToScheme, node.AddToScheme, policy.AddToScheme, rbac.AddToScheme, resourceapi.AddToScheme,
		scheduling.AddToScheme, storage.AddToScheme, migration.AddToScheme, apiregistration.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	found := rules{}
	for gvk, t := range scheme.AllKnownTypes() {
		if gvk.Version != runtime.APIVersionInternal && gvk.Kind != "WatchEvent" {
			found.add(t)
		}
	}
	for _, fields := range found {
		if fields == nil {
			panic("a type was left half-done")
		}
	}
	names := make([]string, 0, len(found))
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintln(os.Stderr, len(names), "types")
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(found); err != nil {
		panic(err)
	}
}
