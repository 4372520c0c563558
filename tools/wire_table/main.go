// wire_table prints, as JSON, how the API's Go types look on the protobuf wire and in JSON: numbers, names and kinds.
//
// It reads struct tags by reflection, so the table is exact where a .proto file can't be: which fields are pointers,
// which are left out when empty, which are inlined. No comments or code of the modules end up in the table.
//
//	go run . | gzip -9n > ../../cluster/apiserver/data/wire.json.gz
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
	storagemigration "k8s.io/api/storagemigration/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

var special = map[reflect.Type]string{
	reflect.TypeOf(meta.Time{}):            "time",
	reflect.TypeOf(meta.MicroTime{}):       "microtime",
	reflect.TypeOf(meta.Duration{}):        "duration",
	reflect.TypeOf(resource.Quantity{}):    "quantity",
	reflect.TypeOf(intstr.IntOrString{}):   "intorstring",
	reflect.TypeOf(meta.FieldsV1{}):        "raw",
	reflect.TypeOf(runtime.RawExtension{}): "raw",
	reflect.TypeOf(apiextensions.JSON{}):   "raw",
	// Unions: a message in protobuf, one of its fields alone in JSON.
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrBool{}):        "schema-or-bool",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrArray{}):       "schema-or-list",
	reflect.TypeOf(apiextensions.JSONSchemaPropsOrStringArray{}): "schema-or-strings",
}

type field struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	// One of "", "list", "map".
	Shape string `json:"shape,omitempty"`
	// What JSON does with the zero value: "drop" leaves it out, "inline" merges the message into its parent.
	Rule string `json:"rule,omitempty"`
}

type table struct {
	Messages map[string]map[string]field `json:"messages"`
	Kinds    map[string]string           `json:"kinds"`
}

func nameOf(t reflect.Type) string {
	path := t.PkgPath()
	for _, prefix := range []string{
		"k8s.io/api/", "k8s.io/apimachinery/pkg/apis/", "k8s.io/apiextensions-apiserver/pkg/apis/",
		"k8s.io/kube-aggregator/pkg/apis/",
	} {
		path = strings.TrimPrefix(path, prefix)
	}
	return path + "." + t.Name()
}

func (tb *table) kindOf(t reflect.Type) string {
	if known, ok := special[t]; ok {
		return known
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32, reflect.Int64, reflect.Int:
		return "int"
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return "uint"
	case reflect.Float64:
		return "double"
	case reflect.Struct:
		tb.add(t)
		return nameOf(t)
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if t.Elem().Kind() == reflect.String { // authentication.ExtraValue and its like: a message around a list.
			return "strings"
		}
	}
	panic(fmt.Sprintf("no kind for %v", t))
}

func (tb *table) add(t reflect.Type) {
	if _, done := tb.Messages[nameOf(t)]; done {
		return
	}
	fields := map[string]field{}
	tb.Messages[nameOf(t)] = fields
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		wire, parts := f.Tag.Get("protobuf"), strings.Split(f.Tag.Get("json"), ",")
		if wire == "" || wire == "-" || f.Tag.Get("json") == "-" {
			continue
		}
		number := strings.Split(wire, ",")[1]
		out, ft := field{Name: parts[0]}, f.Type
		pointer := ft.Kind() == reflect.Pointer
		if pointer {
			ft = ft.Elem()
		}
		bytes := ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Uint8
		switch {
		case ft.Kind() == reflect.Map:
			out.Shape, ft = "map", ft.Elem()
		case ft.Kind() == reflect.Slice && !bytes:
			out.Shape, ft = "list", ft.Elem()
		}
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		out.Kind = tb.kindOf(ft)
		options := strings.Join(parts[1:], ",")
		switch {
		case strings.Contains(options, "inline") || parts[0] == "":
			out.Name, out.Rule = "", "inline"
		case out.Shape == "" && !pointer && (strings.Contains(options, "omitempty") && ft.Kind() != reflect.Struct || strings.Contains(options, "omitzero")):
			out.Rule = "drop"
		}
		fields[number] = out
	}
}

func main() {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		admissionregistration.AddToScheme, apps.AddToScheme, authentication.AddToScheme, authorization.AddToScheme,
		autoscaling.AddToScheme, autoscalingv2.AddToScheme, batch.AddToScheme, certificates.AddToScheme,
		coordination.AddToScheme, core.AddToScheme, discovery.AddToScheme, events.AddToScheme, flowcontrol.AddToScheme,
		networking.AddToScheme, node.AddToScheme, policy.AddToScheme, rbac.AddToScheme, resourceapi.AddToScheme,
		scheduling.AddToScheme, storage.AddToScheme, storagemigration.AddToScheme, apiextensions.AddToScheme,
		apiregistration.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	meta.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	tb := &table{map[string]map[string]field{}, map[string]string{}}
	for gvk, t := range scheme.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal || gvk.Kind == "WatchEvent" {
			continue
		}
		tb.add(t)
		tb.Kinds[strings.TrimPrefix(gvk.Group+"/"+gvk.Version, "/")+" "+gvk.Kind] = nameOf(t)
	}
	tb.Kinds["meta.k8s.io/v1 DeleteOptions"] = nameOf(reflect.TypeOf(meta.DeleteOptions{}))
	names := make([]string, 0, len(tb.Messages))
	for name := range tb.Messages {
		names = append(names, name)
	}
	sort.Strings(names)
	fmt.Fprintln(os.Stderr, len(names), "messages,", len(tb.Kinds), "kinds")
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(tb); err != nil {
		panic(err)
	}
}
