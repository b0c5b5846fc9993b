// Command gitops tells what GitOps tools make of an object, by the code that these tools run.
//
//	gitops kstatus               its status by its conditions alone: kpt, Helm 4, Flux without expressions
//	gitops flux KUSTOMIZATION    its status by the spec.healthCheckExprs of a Kustomization in a JSON file
//	gitops argocd SCRIPT         its health by a Lua script of argocd-cm, in the interpreter that Argo CD has
//	gitops helmrelease           whether Flux's types know all fields of a HelmRelease; no released module has its CRD
//
// The object comes as JSON on standard input; the answer is a JSON object with `status` and `message`.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	helm "github.com/fluxcd/helm-controller/api/v2"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type verdict struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	said, err := judge(os.Args[1:])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(said)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func judge(arguments []string) (verdict, error) {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return verdict{}, err
	}
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return verdict{}, err
	}
	switch {
	case len(arguments) == 1 && arguments[0] == "kstatus":
		return byConditions(object)
	case len(arguments) == 2 && arguments[0] == "flux":
		return byExpressions(object, arguments[1])
	case len(arguments) == 2 && arguments[0] == "argocd":
		return byScript(object, arguments[1])
	case len(arguments) == 1 && arguments[0] == "helmrelease":
		return byType(text)
	}
	return verdict{}, errors.New("usage: gitops kstatus | flux KUSTOMIZATION | argocd SCRIPT | helmrelease")
}

func byConditions(object *unstructured.Unstructured) (verdict, error) {
	result, err := status.Compute(object)
	if err != nil {
		return verdict{}, err
	}
	return verdict{result.Status.String(), result.Message}, nil
}

// byExpressions does as Flux's kustomize-controller does, which goes on waiting for what is Unknown.
func byExpressions(object *unstructured.Unstructured, file string) (verdict, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return verdict{}, err
	}
	kustomization := struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}{}
	if err := json.Unmarshal(text, &kustomization); err != nil {
		return verdict{}, err
	}
	reader, err := cel.NewStatusReader(kustomization.Spec.HealthCheckExprs)
	if err != nil {
		return verdict{}, err
	}
	result, err := reader(nil).ReadStatusForObject(context.Background(), nil, object)
	if err != nil {
		return verdict{}, err
	}
	message := result.Message
	if result.Error != nil {
		message = result.Error.Error()
	}
	return verdict{result.Status.String(), message}, nil
}

// byScript opens the libraries that Argo CD opens for a script of argocd-cm, and no others, and gives it as long.
func byScript(object *unstructured.Unstructured, file string) (verdict, error) {
	script, err := os.ReadFile(file)
	if err != nil {
		return verdict{}, err
	}
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	} {
		call := lua.P{Fn: state.NewFunction(open), Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return verdict{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	body, err := json.Marshal(object.Object)
	if err != nil {
		return verdict{}, err
	}
	value, err := luajson.Decode(state, body)
	if err != nil {
		return verdict{}, err
	}
	state.SetGlobal("obj", value)
	if err := state.DoString(string(script)); err != nil {
		return verdict{}, err
	}
	answer, err := luajson.Encode(state.Get(-1))
	if err != nil {
		return verdict{}, err
	}
	said := verdict{}
	return said, json.Unmarshal(answer, &said)
}

// byType is strict: a field that the type has not, and a value of another kind, are errors.
func byType(text []byte) (verdict, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&helm.HelmRelease{}); err != nil {
		return verdict{}, err
	}
	return verdict{Status: "Known"}, nil
}
