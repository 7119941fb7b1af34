// Kubernetes' API server for CustomResourceDefinitions, without a cluster around it.
//
// In a cluster the aggregator tells clients which kinds there are, with their schemas. Here the server has to do it.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/cmd/server/options"
	"k8s.io/apiextensions-apiserver/pkg/generated/openapi"
	endpoints "k8s.io/apiserver/pkg/endpoints/openapi"
	"k8s.io/apiserver/pkg/server"
	features "k8s.io/apiserver/pkg/util/openapi"
)

func run() error {
	given := options.NewCustomResourceDefinitionsServerOptions(os.Stdout, os.Stderr)
	flags := pflag.NewFlagSet("crdserver", pflag.ExitOnError)
	given.AddFlags(flags)
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	if err := given.Complete(); err != nil {
		return err
	}
	if err := given.Validate(); err != nil {
		return err
	}
	config, err := given.Config()
	if err != nil {
		return err
	}
	definitions := features.GetOpenAPIDefinitionsWithoutDisabledFeatures(openapi.GetOpenAPIDefinitions)
	config.GenericConfig.OpenAPIConfig = server.DefaultOpenAPIConfig(
		definitions, endpoints.NewDefinitionNamer(apiserver.Scheme))
	completed := config.Complete()
	completed.GenericConfig.EnableDiscovery = true
	crds, err := completed.New(server.NewEmptyDelegate())
	if err != nil {
		return err
	}
	return crds.GenericAPIServer.PrepareRun().RunWithContext(server.SetupSignalContext())
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
